"""Whether anybody listens at an address: one connection, closed at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

Answer = Literal["open", "refused", "silent"]


async def answer_of(address: str, port: int, timeout: float = 1.0) -> Answer:
    """Connect. `refused` is the clear word of a machine that is there; `silent` may be the network's fault."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    except (OSError, TimeoutError):
        return "silent"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return "open"
