"""Ask a Redis (or Valkey, KeyDB …) whether it serves: PING.

Source of protocol facts: Redis serialization protocol (RESP2); replies `+PONG`, `-NOAUTH …`, `-LOADING …`.
"""

from __future__ import annotations

import asyncio

from longshore.agent.first_check import CheckFailed
from longshore.agent.register_check_target import CheckTarget, connected

MOST = 512  # bytes of a line that is read
ALIVE = {
    "NOAUTH": "alive; it wants a password before it says more",
    "NOPERM": "alive; its default user must not PING",
}


async def ping(target: CheckTarget) -> str:
    """Give "" if it serves, or what there is to know of it. Raises CheckFailed and what connections raise."""
    async with connected(target) as (reader, writer):
        writer.write(b"*1\r\n$4\r\nPING\r\n")
        line = await _line(reader)
    if line == "+PONG":
        return ""
    word, _, rest = line.removeprefix("-").partition(" ")
    if not line.startswith("-") or not word.isalpha():
        raise CheckFailed(f"not a Redis: it answers PING with {line[:60]!r}")
    if word in ALIVE:
        return ALIVE[word]
    if word == "LOADING":
        raise CheckFailed("it is still loading its data")
    if word == "DENIED":
        raise CheckFailed("it is in protected mode and talks only to its own host: set a password or protected-mode no")
    raise CheckFailed(f"it answers PING with {word} {rest[:200]}".rstrip())


async def _line(reader: asyncio.StreamReader) -> str:
    line = bytearray()
    while b"\n" not in line and len(line) < MOST:
        piece = await reader.read(MOST - len(line))
        if not piece:
            raise CheckFailed("closed the connection without a complete answer" if line else "empty answer")
        line += piece
    return line.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
