"""Whether anybody listens at an address."""

from __future__ import annotations

import asyncio
import socket

from longshore.sources.answering import answer_of


async def test_a_listener_is_open_and_nobody_is_refused() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await answer_of("127.0.0.1", port) == "open"
    server.close()
    await server.wait_closed()
    assert await answer_of("127.0.0.1", port) == "refused"


async def test_no_answer_at_all_is_silent() -> None:
    """A listener whose queue is full lets the kernel drop what comes next."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            assert await answer_of("127.0.0.1", port, timeout=0.3) == "silent"
        finally:
            for one in waiting:
                one.close()
