"""A web application for tests, inside the test's own loop: remembers every request and misbehaves as told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import sha1

from tests.lab import ports

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `connection` counts the connections, `nth` the requests on it, both from 1."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int
    nth: int


@dataclass(slots=True)
class App:
    """Answers every request with its name. /drop closes without an answer, /ws echoes after an upgrade."""

    name: str
    port: int
    refuses_reuse: bool = False  # closes when a second request comes on a connection, which it had promised to keep
    status: int = 200
    delay: float = 0.0
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # nothing is answered while it is not set
    requests: list[Request] = field(default_factory=list)
    open: int = 0  # connections at this moment
    _connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer, self._connections)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        nth = 0
        while True:
            nth += 1
            request = await _read(reader, connection, nth)
            self.requests.append(request)
            if request.target.startswith("/drop") or (self.refuses_reuse and nth > 1):
                return
            if request.target.startswith("/ws"):
                accept = sha1(
                    (request.headers["sec-websocket-key"] + WEBSOCKET).encode(), usedforsecurity=False
                ).digest()
                head = (
                    f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {b64encode(accept).decode()}"
                )
                writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n\r\n".encode())
                while data := await reader.read(1000):
                    writer.write(data)
                return
            await self.gate.wait()
            await asyncio.sleep(self.delay)
            body = self.name.encode()
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (self.status, len(body)) + body)
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                return


@contextlib.asynccontextmanager
async def app(name: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[App]:
    """Run an `App` on a free port of 127.0.0.1."""
    made = App(name, ports.free())
    made.gate.set()
    async with _listening(made.serve, made.port, tls):
        yield made


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Run a TCP service that sends back what it gets; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    port = ports.free()
    async with _listening(serve, port):
        yield port


@contextlib.asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)  # type: ignore[misc]
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(tracked, "127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader, connection: int, nth: int) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body, connection, nth)
