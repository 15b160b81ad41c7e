"""Our few words of HTTP/1.1 against a server that says exactly what the test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from longshore.clients.http1 import LIMIT, BrokenOffError, Dial, Http, NotHttpError, Streams

DEADLINE = 20
END = "<end>"  # in a script: close the connection


class Server:
    """Answers the requests of each connection with the next words of `script`; counts both."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.asked: list[str] = []
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, EOFError):
            while self.script and self.script[0] != END:
                self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.script.pop(0).replace("\n", "\r\n").encode())
                await writer.drain()
            if self.script:
                self.script.pop(0)
            else:
                await reader.read()  # stays open
        writer.close()


@contextlib.asynccontextmanager
async def talking(server: Server) -> AsyncIterator[Http]:
    listening = await asyncio.start_server(server.one, "127.0.0.1", 0)
    http = Http(dialling(listening.sockets[0].getsockname()[1]), "engine:80")
    async with listening, asyncio.timeout(DEADLINE):
        try:
            yield http
        finally:
            await http.close()
    while getattr(listening, "_active_count", 0):  # noqa: ASYNC110 - Python 3.11 gives no event
        await asyncio.sleep(0.001)


def dialling(port: int) -> Dial:
    async def dial() -> Streams:
        return await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)

    return dial


PLAIN = "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"
CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2;why=not\nab\n1\nc\n0\nX-Late: yes\n\n"


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["length", "chunked"])
async def test_a_body_with_an_end_is_read_to_it_and_the_connection_used_again(answer: str) -> None:
    server = Server(answer, "HTTP/1.1 204 No Content\n\n", answer)
    async with talking(server) as http:
        head, body = await http.get("/a?b=c")
        assert (head.status, body) == (200, b"abc")
        head, body = await http.get("/nothing")
        assert (head.status, body) == (204, b"")
        assert (await http.get("/again"))[1] == b"abc"
    assert server.connections == 1
    assert server.asked[0].startswith("GET /a?b=c HTTP/1.1\r\nHost: engine:80\r\n")


@pytest.mark.parametrize(
    "script",
    [
        ["HTTP/1.1 200 OK\n\nabc", END],
        ["HTTP/1.0 200 OK\nContent-Length: 3\n\nabc"],
        ["HTTP/1.1 200 OK\nContent-Length: 3\nConnection: close\n\nabc"],
    ],
    ids=["ends with the connection", "1.0", "says close"],
)
async def test_a_connection_that_cannot_be_kept_is_not(script: Sequence[str]) -> None:
    server = Server(*script, PLAIN)
    async with talking(server) as http:
        assert (await http.get("/"))[1] == b"abc"
        assert (await http.get("/"))[1] == b"abc"
    assert server.connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    server = Server(PLAIN, END, PLAIN)
    async with talking(server) as http:
        await http.get("/")
        assert (await http.get("/"))[1] == b"abc"
    assert server.connections == 2


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    server = Server(PLAIN, PLAIN, PLAIN)
    async with talking(server) as http:
        answers = await asyncio.gather(*(http.get("/") for _ in range(3)))
    assert [body for _, body in answers] == [b"abc"] * 3
    assert server.connections == 3


async def test_a_request_that_was_given_up_leaves_no_answer_for_the_next_one() -> None:
    server = Server("HTTP/1.1 200 OK\nContent-Length: 3\n\nab", PLAIN)
    async with talking(server) as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await http.get("/")
        assert (await http.get("/"))[1] == b"abc"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (["", END], EOFError),
        (["HTTP/1.1 200 OK\nContent-Le", END], BrokenOffError),
        (["HTTP/1.1 200 OK\nContent-Length: 3\n\nab", END], BrokenOffError),
        (["HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nab", END], BrokenOffError),
        (["HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nab\n", END], BrokenOffError),
        (["HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nmany\nab\n"], NotHttpError),
        (["220 mail.test ESMTP\n"], NotHttpError),
        (["+OK", END], NotHttpError),
        (["HTTP/2 200 OK\n\n"], NotHttpError),
        (["HTTP/1.1 fine\n\n"], NotHttpError),
    ],
)
async def test_what_is_no_whole_answer_is_told_apart(script: Sequence[str], error: type[Exception]) -> None:
    async with talking(Server(*script)) as http:
        with pytest.raises(error) as caught:
            await http.get("/")
    assert type(caught.value) is error


async def test_a_stream_gives_each_line_as_soon_as_it_is_whole() -> None:
    """Chunks are not lines: one may hold several, and a line may come in several."""
    server = Server("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n6\none\nt\n4\nwo\n\n")
    async with talking(server) as http, http.stream("/events") as (head, lines):
        assert head.status == 200
        assert (await anext(lines)).strip() == b"one"
        assert (await anext(lines)).strip() == b"two"


async def test_a_stream_ends_with_the_answer_and_leaves_no_connection() -> None:
    server = Server("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\none\n\n3\ntwo\n0\n\n")
    async with talking(server) as http, http.stream("/events") as (_, lines):
        assert [line.strip() async for line in lines] == [b"one", b"two"]


async def test_a_stream_that_breaks_off_says_so() -> None:
    server = Server("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\none\n", END)
    async with talking(server) as http, http.stream("/events") as (_, lines):
        with pytest.raises(BrokenOffError):
            await anext(lines)


async def test_a_post_has_a_connection_of_its_own_and_is_never_asked_twice() -> None:
    """A kept connection may be closed at any moment, and who asks again might have it done twice."""
    server = Server(PLAIN, "HTTP/1.1 201 Created\nContent-Length: 3\n\nabc", PLAIN, "", END, PLAIN)
    async with talking(server) as http:
        await http.get("/")
        async with http.post("/do", b'{"it": 1}') as (head, pieces):
            assert (head.status, b"".join([piece async for piece in pieces])) == (201, b"abc")
        await http.get("/")
        with pytest.raises(EOFError):
            async with http.post("/do", b"{}"):
                pass
        await http.get("/")
    posts = [asked for asked in server.asked if asked.startswith("POST /do HTTP/1.1\r\n")]
    assert len(posts) == 2
    assert "\r\nContent-Type: application/json\r\nContent-Length: 9\r\n" in posts[0]
