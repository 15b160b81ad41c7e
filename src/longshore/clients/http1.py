"""The little of HTTP/1.1 that an engine takes: GETs over kept connections, answers that never end, and POSTs.

aiohttp does this too, and much that is not needed here. An inspect lies between an event and its effect, and with it
most of its time was ours, not the engine's (docs/adr/0010-our-own-http.md).

What goes wrong is raised as it comes: OSError, ssl.SSLError, EOFError (closed without an answer), or one of the two
below. Deadlines are the caller's.
Source of protocol facts: RFC 9112.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

LIMIT = 2**24
"""Bytes that a line may have, and a reader holds; labels are part of an event, and there may be many."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Streams]]


class NotHttpError(ValueError):
    """What answers does not speak HTTP."""


class BrokenOffError(EOFError):
    """The other side closed the connection in the middle of an answer."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields of an answer; names of fields in lower case."""

    status: int
    fields: Mapping[str, str]

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.fields.get("transfer-encoding", "").lower().endswith("chunked")

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if it ends with the connection."""
        if self.status in (204, 304):
            return 0
        said = self.fields.get("content-length", "")
        return int(said) if said.isascii() and said.isdigit() else None

    @property
    def keeps(self) -> bool:
        """Whether the connection can be used again after this answer."""
        framed = self.chunked or self.length is not None
        return framed and "close" not in self.fields.get("connection", "").lower()


class Http:
    """Requests to one server. `dial` opens a connection, with `limit=LIMIT`; `host` is the Host header.

    `fields` are sent with every request; names and values are the caller's to check.
    """

    def __init__(self, dial: Dial, host: str, fields: Mapping[str, str] | None = None) -> None:
        self._dial = dial
        self._always = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **(fields or {})}.items())
        self._idle: list[Streams] = []

    async def get(self, target: str) -> tuple[Head, bytes]:
        """Ask and give the whole answer."""
        while self._idle:
            streams = self._idle.pop()
            try:
                return await self._exchange(streams, target)
            except (ConnectionError, EOFError):
                continue  # closed while nobody looked: ask on the next one, at last on a new one
        return await self._exchange(await self._dial(), target)

    @contextlib.asynccontextmanager
    async def stream(self, target: str) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
        """Ask on a connection of its own; give the head at once, and the lines of the body as they come."""
        async with self._alone(self._request(target)) as (head, pieces):
            yield head, _lines(pieces)

    @contextlib.asynccontextmanager
    async def pieces(self, target: str) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
        """Ask on a connection of its own; give the head at once, and the pieces of the body as they come."""
        async with self._alone(self._request(target)) as answer:
            yield answer

    @contextlib.asynccontextmanager
    async def post(self, target: str, body: bytes) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
        """Ask for something to be done, once, with JSON; give the head at once, and the pieces of the body."""
        framing = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        async with self._alone(self._request(target, "POST", framing) + body) as answer:
            yield answer

    @contextlib.asynccontextmanager
    async def _alone(self, request: bytes) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
        """Ask on a connection of its own."""
        reader, writer = await self._dial()
        try:
            writer.write(request)
            head = await _head(reader)
            yield head, _pieces(reader, head)
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """Close the kept connections."""
        for _, writer in self._idle:
            writer.transport.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn

    async def _exchange(self, streams: Streams, target: str) -> tuple[Head, bytes]:
        reader, writer = streams
        try:
            writer.write(self._request(target))
            head = await _head(reader)
            body = b"".join([piece async for piece in _pieces(reader, head)])
        except BaseException:
            writer.transport.abort()
            raise
        if head.keeps:
            self._idle.append(streams)
        else:
            writer.transport.abort()
        return head, body

    def _request(self, target: str, method: str = "GET", fields: str = "") -> bytes:
        return f"{method} {target} HTTP/1.1\r\n{self._always}User-Agent: longshore\r\n{fields}\r\n".encode()


async def _head(reader: asyncio.StreamReader) -> Head:
    version, _, rest = (await _first_line(reader)).partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise _no_http(f"{version} {rest}")
    fields = {"connection": "close"} if version == "HTTP/1.0" else {}
    try:
        while line := (await reader.readuntil(b"\n")).strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.strip().lower()] = value.strip()
    except asyncio.IncompleteReadError as error:
        raise BrokenOffError from error
    except asyncio.LimitOverrunError as error:
        raise NotHttpError("a field without an end") from error
    return Head(int(rest[:3]), fields)


async def _first_line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise _no_http(error.partial.decode("latin-1")) from error
        raise EOFError("closed without an answer") from error
    except asyncio.LimitOverrunError as error:
        raise NotHttpError("a first line without an end") from error


def _no_http(text: str) -> NotHttpError:
    return NotHttpError(f"it begins with {text[:60].strip()!r}")


async def _pieces(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """Give the body as it comes, to its end."""
    try:
        if head.chunked:
            while size := _size(await reader.readuntil(b"\n")):
                yield (await reader.readexactly(size + 2))[:-2]
            while (await reader.readuntil(b"\n")).strip():
                pass  # fields that follow the body
        elif head.length is None:
            while piece := await reader.read(65536):
                yield piece
        elif head.length:
            yield await reader.readexactly(head.length)
    except asyncio.IncompleteReadError as error:
        raise BrokenOffError from error
    except asyncio.LimitOverrunError as error:
        raise NotHttpError("a chunk without an end") from error


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise NotHttpError(f"a chunk begins with {line[:60]!r}") from None


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give the body line by line, each as soon as it is whole."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LIMIT:
            raise NotHttpError("a line without an end")
        for line in whole:
            yield line
    if rest:
        yield rest
