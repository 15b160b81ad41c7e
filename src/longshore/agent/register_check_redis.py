"""Ask a Redis (or Valkey, KeyDB …) whether it serves: PING, and EXISTS of a key where that is asked for.

A proxy like twemproxy answers PING by itself; a question for a key reaches a server behind it.

Source of protocol facts: Redis serialization protocol (RESP2); replies `+PONG`, `:0`, `-NOAUTH …`, `-LOADING …`.
"""

from __future__ import annotations

import asyncio

from longshore.agent.first_check import CheckFailed
from longshore.agent.register_check_target import CheckTarget, connected

MOST = 512  # bytes of a line that is read
ALIVE = {
    "NOAUTH": "alive; it wants a password before it says more",
    "NOPERM": "alive; its default user must not ask",
    "MOVED": "alive; another server of its cluster has the key",
}


async def ping(target: CheckTarget, key: str = "") -> str:
    """Give "" if it serves, or what there is to know of it. Raises CheckFailed and what connections raise."""
    async with connected(target) as (reader, writer):
        writer.write(_words("PING"))
        line = await _line(reader)
        if line != "+PONG" or not key:
            return _judged("PING", line, ("+PONG",))
        writer.write(_words("EXISTS", key))
        return _judged("EXISTS", await _line(reader), (":0", ":1"))


def _words(*words: str) -> bytes:
    parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{parts}".encode()


def _judged(asked: str, line: str, good: tuple[str, ...]) -> str:
    """Make of an answer what `ping` gives."""
    if line in good:
        return ""
    word, _, rest = line.removeprefix("-").partition(" ")
    if not line.startswith("-") or not word.isalpha():
        raise CheckFailed(f"not a Redis: it answers {asked} with {line[:60]!r}")
    if word in ALIVE:
        return ALIVE[word]
    if word == "LOADING":
        raise CheckFailed("it is still loading its data")
    if word == "DENIED":
        raise CheckFailed("it is in protected mode and talks only to its own host: set a password or protected-mode no")
    raise CheckFailed(f"it answers {asked} with {word} {rest[:200]}".rstrip())


async def _line(reader: asyncio.StreamReader) -> str:
    line = bytearray()
    while b"\n" not in line and len(line) < MOST:
        piece = await reader.read(MOST - len(line))
        if not piece:
            raise CheckFailed("closed the connection without a complete answer" if line else "empty answer")
        line += piece
    return line.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
