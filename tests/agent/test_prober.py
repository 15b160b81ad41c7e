"""The first check, against real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from longshore.agent.first_check import MOST, CheckFailed, Target, begin, check, status_matches
from longshore.agent.prober import Prober, patience, pause
from longshore.core.model import Check
from tests.agent.authority import self_signed

DEADLINE = 20
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(answer: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server on loopback; gives its port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(one, host, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await _deserted(server)


async def _deserted(server: asyncio.Server) -> None:
    """Wait until every connection was accepted (ours is the last in the queue) and closed again.

    Python's own `wait_closed` does the latter only from 3.12 on.
    """
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        while getattr(server, "_active_count", 0) or getattr(server, "_clients", ()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)


def http(head: str, body: bytes = b"", seen: list[bytes] | None = None) -> Answer:
    """Answer each request with this status line and headers, and this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, say nothing, wait for the other side to close."""
    await reader.read()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections: bound by us, so that nobody else takes it, and not listened on."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def attempt(target: Target) -> str:
    """Check once; return why it failed, "" if it did not."""
    try:
        await check(target, begin(target), patience=5)
    except CheckFailed as failed:
        return str(failed)
    return ""


class Watch:
    """Collects what a prober admits, and waits for it."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._news = asyncio.Event()
        self.prober = Prober(self._admitted)

    def _admitted(self, key: str) -> None:
        assert key in self.prober.admitted
        self.keys.append(key)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.01)
                self._news.clear()


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    watch = Watch()
    yield watch
    await watch.prober.close()


async def test_what_listens_is_admitted(watch: Watch) -> None:
    async with serving(silent) as port:
        watch.prober.want({"web": Target("127.0.0.1", port)})
        await watch.until(lambda: watch.keys == ["web"])
    assert watch.prober.idle()
    assert watch.prober.waiting == {}


async def test_a_connection_is_under_way_before_want_returns(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch.prober.want({"web": Target("127.0.0.1", server.getsockname()[1])})
        server.settimeout(DEADLINE)
        connection, _ = server.accept()  # the event loop did not get a turn since
        connection.close()


async def test_what_does_not_listen_waits_with_its_reason_until_it_does(watch: Watch, closed_port: int) -> None:
    watch.prober.want({"web": Target("127.0.0.1", closed_port)})
    await watch.until(lambda: watch.prober.waiting["web"].attempts > 3)
    assert watch.prober.waiting["web"].reason == "connection refused"
    assert watch.keys == []
    with socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        late.bind(("127.0.0.1", closed_port))
        late.listen()
        await watch.until(lambda: watch.keys == ["web"])


async def test_a_target_without_check_is_admitted_at_once_and_without_a_call(watch: Watch) -> None:
    watch.prober.want({"web": Target("127.0.0.1", 1, Check(kind="none"))})
    assert "web" in watch.prober.admitted
    assert watch.keys == []


async def test_who_is_not_wanted_any_more_is_forgotten_and_proves_itself_again(watch: Watch) -> None:
    async with serving(silent) as port:
        target = Target("127.0.0.1", port)
        watch.prober.want({"web": target})
        await watch.until(lambda: watch.keys == ["web"])
        watch.prober.want({"web": target})
        assert "web" in watch.prober.admitted
        watch.prober.want({})
        assert "web" not in watch.prober.admitted
        watch.prober.want({"web": target})
        assert "web" not in watch.prober.admitted
        await watch.until(lambda: watch.keys == ["web", "web"])


async def test_a_changed_target_proves_itself_again(watch: Watch, closed_port: int) -> None:
    async with serving(silent) as port:
        watch.prober.want({"web": Target("127.0.0.1", port)})
        await watch.until(lambda: watch.keys == ["web"])
        watch.prober.want({"web": Target("127.0.0.1", closed_port)})
        assert watch.prober.admitted == {}
        await watch.until(lambda: watch.prober.waiting["web"].attempts > 0)
    assert watch.keys == ["web"]


async def test_thousands_that_never_answer_do_not_keep_a_newcomer_waiting(watch: Watch, closed_port: int) -> None:
    lost = {f"lost-{number}": Target("127.0.0.1", closed_port) for number in range(2000)}
    watch.prober.want(lost)
    async with serving(silent) as port:
        watch.prober.want({**lost, "web": Target("127.0.0.1", port)})
        await watch.until(lambda: watch.keys == ["web"])
    assert len(watch.prober.waiting) == 2000


async def test_closing_leaves_no_connection_behind() -> None:
    """An unclosed socket would be a ResourceWarning, and that an error here."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    watch = Watch()
    async with serving(answer) as port:
        watch.prober.want({"web": Target("127.0.0.1", port, Check(kind="http"))})
        await watch.prober.close()
        async with asyncio.timeout(DEADLINE):
            await gone.wait()
    watch.prober.want({"web": Target("127.0.0.1", 1)})
    await watch.prober.close()


async def test_ipv6_endpoints_are_reached(watch: Watch) -> None:
    async with serving(silent, "::1") as port:
        watch.prober.want({"web": Target("::1", port)})
        await watch.until(lambda: watch.keys == ["web"])


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


def test_attempts_are_quick_at_first_and_patient_later() -> None:
    assert [pause(elapsed) for elapsed in (0, 0.005, 0.1, 5, 29, 31)] == [0.002, 0.002, 0.02, 0.25, 0.25, 1.0]
    assert [patience(elapsed) for elapsed in (0, 0.1, 4)] == [0.1, 0.1, 2]
