"""What the registrar's checks make of servers of every kind, and of those that misbehave in every way."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from longshore.agent.register_check_grpc import MOST, request
from longshore.agent.register_checks import CheckTarget, Verdict, check
from longshore.core.register_check import RegisterCheck, register_check
from tests.agent.authority import self_signed
from tests.agent.serving import DEADLINE, Answer, http, serving, silent

GOOD = Verdict(ok=True)


async def verdict(words: str, port: int = 0, timeout: float = DEADLINE, **more: object) -> Verdict:
    """Check what listens on loopback, as the words of a label say."""
    target = CheckTarget(**({"address": "127.0.0.1", "port": port} | more))  # type: ignore[arg-type]
    return await check(register_check(words), target, timeout)


def saying(*answers: bytes, close: bool = True) -> Answer:
    """Take something in, then answer with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        for part in answers:
            writer.write(part)
            await writer.drain()
        if not close:
            await reader.read()

    return answer


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with bytes that never end, without a line end among them."""
    if await reader.read(1):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and close."""


def tls_context(tmp_path: Path) -> ssl.SSLContext:
    pem = tmp_path / "server.pem"
    pem.write_bytes(self_signed("a.test"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_http_asks_path_and_host_and_judges_status_and_text() -> None:
    seen: list[bytes] = []
    async with serving(http("HTTP/1.1 401 No", b"log in", seen)) as port:
        assert await verdict("/up", port, host="a.test", status="200,401", expect="log in") == GOOD
        assert (await verdict("/up", port)).why == "status 401 instead of 200-399"
        assert (await verdict("/up", port, status="401", expect="Hello")).why == "the body does not contain 'Hello'"
        assert await verdict("/up", port, method="OPTIONS", status="401") == GOOD
    assert seen[0].startswith(b"GET /up HTTP/1.1\r\nHost: a.test\r\n")
    assert seen[-1].startswith(b"OPTIONS /up HTTP/1.1\r\n")


async def test_https_and_tls_take_any_certificate_unless_told_otherwise(tmp_path: Path) -> None:
    names: list[str | None] = []
    tls = tls_context(tmp_path)
    tls.set_servername_callback(lambda _, name, __: names.append(name))
    async with serving(http("HTTP/1.1 200 OK"), tls=tls) as port:
        assert await verdict("https:/up", port, host="a.test") == GOOD
        assert await verdict("tls", port, host="b.test") == GOOD
        for words in ("https:/up", "tls"):
            assert "certificate is not trusted" in (await verdict(words, port, tls="verify")).why
    assert names[:2] == ["a.test", "b.test"]
    async with serving(http("HTTP/1.1 200 OK")) as port:
        assert not (await verdict("tls", port, timeout=0.3)).ok


async def test_names_are_resolved_and_each_address_is_tried() -> None:
    async with serving(silent) as port:  # on 127.0.0.1 only; localhost may be ::1 first
        assert await verdict("tcp", port, address="localhost") == GOOD
    assert (await verdict("tcp", 80, address="nowhere.invalid")).why == "its name does not resolve"
    assert not (await verdict("tcp", 80, address="x" * 70 + ".invalid")).ok


async def test_nobody_listens() -> None:
    async with serving(silent) as port:
        pass
    for words in ("tcp", "tls", "/", "https:/", "grpc", "redis", "rabbitmq"):
        assert (await verdict(words, port)).why == "connection refused", words


async def test_the_healthcheck_of_the_engine_is_taken_as_it_is() -> None:
    assert await verdict("docker", health="healthy") == GOOD
    assert (await verdict("docker", health="unhealthy")).why == "its HEALTHCHECK says unhealthy"
    assert (await verdict("docker", health="starting")).why == "its HEALTHCHECK says starting"
    assert "has no HEALTHCHECK: give it one" in (await verdict("docker")).why


async def test_no_check_is_always_fine() -> None:
    assert await verdict("none") == GOOD


@pytest.mark.parametrize(
    ("line", "ok", "why"),
    [
        ("+PONG", True, ""),
        ("-NOAUTH Authentication required.", True, "alive; it wants a password before it says more"),
        ("-LOADING Redis is loading the dataset in memory", False, "it is still loading its data"),
        ("-DENIED Redis is running in protected mode", False, "protected mode"),
        ("-MISCONF Errors writing", False, "it answers PING with MISCONF Errors writing"),
        ("+OK Gpop server ready", False, "not a Redis"),
        ("HTTP/1.1 400 Bad Request", False, "not a Redis"),
        ("", False, "not a Redis"),
    ],
)
async def test_redis_is_judged_by_its_answer_to_ping(line: str, ok: bool, why: str) -> None:
    async with serving(saying(line.encode() + b"\r\n")) as port:
        found = await verdict("redis", port)
    assert found.ok is ok
    assert why in found.why


@pytest.mark.parametrize(
    ("answers", "ok", "why"),
    [
        pytest.param(["+PONG", ":0"], True, "", id="A3 checks redis: PING and EXISTS"),
        pytest.param(["+PONG", ":1"], True, "", id="A3 checks redis: the key is there"),
        pytest.param(
            ["+PONG", "-ERR no server behind this proxy"], False, "EXISTS with ERR", id="A3 checks redis: proxy"
        ),
        pytest.param(["+PONG", "-MOVED 3999 10.0.0.1:1"], True, "another server", id="A3 checks redis: a cluster"),
        pytest.param(["-LOADING", ""], False, "loading", id="A3 checks redis: loading"),
    ],
)
async def test_redis_is_asked_for_a_key_behind_its_ping(answers: list[str], ok: bool, why: str) -> None:
    asked = list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in answers:
            asked.append(await reader.read(1000))
            writer.write(f"{each}\r\n".encode())

    async with serving(answer) as port:
        found = await verdict("redis:key", port)
    assert asked[0] == b"*1\r\n$4\r\nPING\r\n"
    assert asked[1] in (b"*2\r\n$6\r\nEXISTS\r\n$3\r\nkey\r\n", b"")
    assert (found.ok, why in found.why) == (ok, True)


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        pytest.param((), ["Host: localhost", "User-Agent: longshore"], id="none are said"),
        pytest.param(
            (("X-Check", "1"), ("user-agent", "nerve")),
            ["Host: localhost", "X-Check: 1", "user-agent: nerve"],
            id="A3 checks http: headers",
        ),
        pytest.param((("Host", "10.0.0.5:3000"),), ["Host: 10.0.0.5:3000"], id="A3 checks http: headers, Host"),
    ],
)
async def test_headers_are_sent_beside_or_in_place_of_our_own(
    headers: tuple[tuple[str, str], ...], lines: list[str]
) -> None:
    asked = list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 none\r\n\r\n")

    async with serving(answer) as port:
        assert await verdict("/health?a=1", port, headers=headers) == GOOD
    said = asked[0].decode().split("\r\n")
    assert said[0] == "GET /health?a=1 HTTP/1.1"
    assert [line for line in said if line in lines] == lines
    assert len({line.partition(":")[0].lower() for line in said[1:-2]}) == len(said[1:-2]), "no header twice"


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    """Make an HTTP/2 frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header(name: str, value: str) -> bytes:
    """Write a header as HPACK's literal without indexing."""
    raw_name, raw_value = name.encode(), value.encode()
    return b"\0" + bytes([len(raw_name)]) + raw_name + bytes([len(raw_value)]) + raw_value


SETTINGS = frame(4, 0, b"", 0)
HEAD = frame(1, 4, header(":status", "200") + header("content-type", "application/grpc"))


def health(state: bytes = b"\x08\x01", code: str = "0") -> bytes:
    """Give the whole answer of a gRPC server in HTTP/2."""
    message = b"\0" + len(state).to_bytes(4, "big") + state
    return SETTINGS + HEAD + frame(0, 0, message) + frame(1, 5, header("grpc-status", code))


def refusal(code: str, message: str = "") -> bytes:
    """Give an answer that consists of headers only."""
    fields = header(":status", "200") + header("grpc-status", code) + header("grpc-message", message)
    return SETTINGS + frame(1, 5, fields)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (health(), ""),
        (health(b"\x08\x02"), "the service 'shop.Cart' is NOT_SERVING"),
        (health(b""), "the service 'shop.Cart' is UNKNOWN"),
        (health(b"\x08\x63"), "the service 'shop.Cart' is in the unknown state 99"),
        (health(b"\x12\x01a"), "something else than a health"),
        (health(code="13"), "gRPC status 13"),
        (refusal("5"), "its health service does not know the service 'shop.Cart'"),
        (refusal("12"), "it has no health service (grpc.health.v1.Health)"),
        (refusal("14", "no%20backends"), "gRPC status 14 no backends"),
        (SETTINGS + HEAD + frame(0, 1, b"\0\0\0\0\xff\x08"), "no status"),
        (SETTINGS + frame(1, 5, header(":status", "503")), "not a gRPC server: it answers with HTTP status 503"),
        (SETTINGS + HEAD + frame(3, 0, (8).to_bytes(4, "big")), "it broke off with HTTP/2 error"),
        (SETTINGS + frame(7, 0, bytes(8), 0), "it broke off with HTTP/2 error"),
        (SETTINGS + HEAD, "closed the connection without a complete answer"),
        (SETTINGS + HEAD[:-3], "closed the connection without a complete answer"),
        (SETTINGS + frame(1, 4, b"\xff\xff\xff\xff\xff"), "no HTTP/2"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP/1"),
        (b"220 mail.test ESMTP\r\n" * 3, "no HTTP/2"),
        (SETTINGS + HEAD + frame(0, 0, bytes(16000)) * 5, "too long"),
    ],
)
async def test_grpc_is_judged_by_the_health_service(answer: bytes, why: str) -> None:
    async with serving(saying(answer)) as port:
        found = await verdict("grpc:shop.Cart", port)
    assert found.ok is (why == "")
    assert why in found.why


def test_the_name_of_a_grpc_service_may_be_long() -> None:
    assert request("") == b"\0\0\0\0\0"
    assert request("a" * 200) == b"\0\0\0\0\xcb\x0a\xc8\x01" + b"a" * 200


BAD: dict[str, tuple[Answer, str]] = {
    "garbage": (saying(b"\x00\xff\x16\x03garbage\r\n\r\n" * 9), ""),
    "silence": (silent, "no answer within"),
    "closed": (closing, ""),
    "half": (saying(b"+PO"), ""),
    "half and silence": (saying(b"+", close=False), "no answer within"),
    "endless": (endless, ""),
    "zeros": (saying(bytes(4 * MOST), close=False), ""),
}


@pytest.mark.parametrize("way", BAD)
@pytest.mark.parametrize("words", ["/", "https:/", "tls", "grpc", "redis", "redis:key", "rabbitmq"])
async def test_whatever_a_broken_server_does_there_is_a_verdict_in_time_and_no_connection_is_left(
    words: str, way: str
) -> None:
    """`serving` ends only when every connection to it is closed."""
    answer, why = BAD[way]
    async with serving(answer) as port, asyncio.timeout(DEADLINE):
        found = await verdict(words, port, timeout=0.3)
    assert not found.ok
    assert found.why
    if way == "silence":
        assert why in found.why


async def test_a_check_that_is_given_up_leaves_no_connection() -> None:
    for words in ("tcp", "/", "grpc", "redis", "rabbitmq"):
        async with serving(silent) as port, asyncio.timeout(DEADLINE):
            task = asyncio.create_task(verdict(words, port))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_every_kind_is_known() -> None:
    for kind in ("http", "https", "tcp", "tls", "grpc", "redis", "rabbitmq", "exec", "docker", "none"):
        argument = "/" if kind.startswith("http") else "true" if kind == "exec" else ""
        target = CheckTarget("127.0.0.1", 1, health="unhealthy")
        found = await check(RegisterCheck(kind, argument), target, DEADLINE)
        assert found.ok is (kind == "none"), kind
