"""Start HAProxy again when it ends, at once the first time, then ever more slowly, and say why each time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from longshore.clients.haproxy_faults import HAProxyError
from longshore.haproxy.contract import Process

FIRST = 0.5  # seconds before the second attempt
LONGEST = 30.0
CALM = 60.0  # seconds HAProxy must have run for the next end to count as the first again


async def supervise(
    process: Process,
    restart: Callable[[str], Awaitable[object]],
    said: Callable[[str, str], object],
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> NoReturn:
    """Watch `process` for ever. When it ends, call `restart(how it ended)` until that works.

    `restart` raises `HAProxyError` if it does not; `said(what, why)` gets every end and every failure.
    """
    attempt = 0
    while True:
        began = clock()
        why = await process.wait_exit()
        attempt = attempt if clock() - began < CALM else 0
        said("HAProxy has ended; starting it again", why)
        while True:
            await sleep(pause(attempt))
            attempt += 1
            try:
                await restart(why)
                break
            except HAProxyError as error:
                said(f"HAProxy could not be started again; trying again in about {pause(attempt):.0f} s", str(error))


def pause(attempt: int) -> float:
    """Seconds to wait before an attempt: none before the first, then doubling, with jitter so that hosts differ."""
    if attempt == 0:
        return 0.0
    return min(LONGEST, FIRST * 2.0 ** (attempt - 1)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
