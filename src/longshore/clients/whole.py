"""Reading an answer to its end, unless it has none: for APIs whose answers have a size that makes sense."""

from __future__ import annotations

import aiohttp

LIMIT = 2**26
"""Bytes that an answer may have."""


async def whole(response: aiohttp.ClientResponse, limit: int = LIMIT) -> bytes:
    """Read the body. Raises ValueError if it is larger than `limit`, and what aiohttp raises."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            raise ValueError(f"the answer is larger than {limit // 2**20} MiB")
        pieces.append(piece)
    return b"".join(pieces)
