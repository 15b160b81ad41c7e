"""One attempt of the first check, against real sockets on loopback."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from longshore.agent.first_check import MOST, CheckFailed, Target, begin, check, status_matches
from longshore.core.model import Check
from tests.agent.authority import self_signed
from tests.agent.serving import DEADLINE, http, serving, silent


async def attempt(target: Target) -> str:
    """Check once; return why it failed, "" if it did not."""
    try:
        await check(target, begin(target), patience=5)
    except CheckFailed as failed:
        return str(failed)
    return ""


async def test_a_published_port_whose_forwarder_closes_at_once_is_no_answer() -> None:
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    async with serving(closes) as port:
        assert "nobody listens behind it" in await attempt(Target("127.0.0.1", port, proxied=True))
        assert await attempt(Target("127.0.0.1", port)) == ""
    for answer in (silent, greets):
        async with serving(answer) as port:
            assert await attempt(Target("127.0.0.1", port, proxied=True)) == ""


CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("rules", "head", "body", "failure"),
    [
        (Check(), "HTTP/1.1 204 No Content", b"", ""),
        (Check(), "HTTP/1.1 503 Not Yet", b"", "status 503 instead of 200-399"),
        (Check(status="503"), "HTTP/1.0 503 Not Yet", b"", ""),
        (Check(), "SSH-2.0-OpenSSH", b"", "not an HTTP answer: 'SSH-2.0-OpenSSH'"),
        (Check(expect="Hello"), "HTTP/1.1 200 OK", b"-Hello-", ""),
        (Check(expect="Hello"), "HTTP/1.1 200 OK\nX-Text: Hello", b"no", "the body does not contain 'Hello'"),
        (Check(expect="Hello"), "HTTP/1.1 500 Hello", b"Hello", "status 500 instead of 200-399"),
        (Check(expect="Hello"), "HTTP/1.1 200 OK\nContent-Length: 3", b"Hello", "the body does not contain 'Hello'"),
        (Check(expect="Hello"), CHUNKED, b"3\r\n-He\r\n4;x=y\r\nllo-\r\n0\r\n\r\n", ""),
        (Check(expect="Hello"), CHUNKED, b"2\r\nHe\r\n0\r\n\r\n", "the body does not contain 'Hello'"),
        (Check(expect="Hello"), CHUNKED, b"zz\r\nHello", "the body does not contain 'Hello'"),
        (Check(expect="end"), "HTTP/1.1 200 OK", b"x" * MOST + b"end", "the body does not contain 'end'"),
        (Check(expect="end"), "HTTP/1.1 200 OK", b"x" * (MOST - 3) + b"end", ""),
        (Check(), "HTTP/1.1 200 OK\nX: " + "x" * MOST, b"", "the answer's headers are too long"),
    ],
)
async def test_an_http_answer_is_judged_by_status_and_body(rules: Check, head: str, body: bytes, failure: str) -> None:
    rules = Check("http", status=rules.status, expect=rules.expect)
    async with serving(http(head, body)) as port:
        assert await attempt(Target("127.0.0.1", port, rules)) == failure


async def test_the_request_asks_for_the_path_and_the_host_of_the_check() -> None:
    seen: list[bytes] = []
    async with serving(http("HTTP/1.1 200 OK", seen=seen)) as port:
        assert await attempt(Target("127.0.0.1", port, Check("http", path="/up?deep=1", host="a.test"))) == ""
        assert await attempt(Target("127.0.0.1", port, Check("http"))) == ""
        assert await attempt(Target("127.0.0.1", port, Check("http", method="OPTIONS"))) == ""
    assert seen[2].startswith(b"OPTIONS / HTTP/1.1\r\n")
    assert seen[0].startswith(b"GET /up?deep=1 HTTP/1.1\r\nHost: a.test\r\n")
    assert b"\r\nHost: localhost\r\n" in seen[1]
    assert all(b"\r\nConnection: close\r\n" in request for request in seen)


async def test_a_path_that_would_break_the_request_is_never_sent() -> None:
    seen: list[bytes] = []
    async with serving(http("HTTP/1.1 200 OK", seen=seen)) as port:
        assert "cannot be sent" in await attempt(Target("127.0.0.1", port, Check("http", path="/ HTTP/1.1\r\nX: y")))
    assert seen == []


async def test_reading_ends_when_the_expected_text_is_seen_though_the_answer_goes_on_for_ever() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nHello")
        await reader.read()

    async with serving(endless) as port:
        assert await attempt(Target("127.0.0.1", port, Check("http", expect="Hello", timeout=DEADLINE))) == ""


async def test_silence_ends_at_the_timeout_of_the_check() -> None:
    async with serving(silent) as port:
        assert await attempt(Target("127.0.0.1", port, Check("http", timeout=0.05))) == "no answer within 0.05 s"


async def test_endpoints_that_speak_tls_are_checked_over_it(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    pem.write_bytes(self_signed("a.test"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    async with serving(http("HTTP/1.1 200 OK"), tls=tls) as port:
        assert await attempt(Target("127.0.0.1", port, Check("http"), "insecure")) == ""
        assert await attempt(Target("127.0.0.1", port, Check("tcp"), "insecure")) == ""
        assert "certificate is not trusted" in await attempt(Target("127.0.0.1", port, Check("http"), "verify"))
    async with serving(http("HTTP/1.1 200 OK")) as port:
        assert await attempt(Target("127.0.0.1", port, Check("tcp", timeout=2), "insecure")) != ""


@pytest.mark.parametrize(
    ("wanted", "status", "matches"),
    [
        ("200-399", 200, True),
        ("200-399", 400, False),
        ("200,204,301-303", 302, True),
        ("200", 20, False),
        ("x", 0, False),
    ],
)
def test_statuses_are_single_ones_and_ranges(wanted: str, status: int, matches: bool) -> None:
    assert status_matches(wanted, status) is matches
