"""Servers on loopback, for everything that checks endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

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
