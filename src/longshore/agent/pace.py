"""When to try again, and how to run a task that must not end: the one retry policy of the agent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from longshore.clients.haproxy_faults import HAProxyError

log = structlog.get_logger()


class Backoff:
    """Growing pauses with jitter: `next()` gives the seconds to wait, `reset()` starts over after a success."""

    def __init__(self, first: float = 0.2, most: float = 10.0) -> None:
        self._first, self._most = first, most
        self._now = first

    def next(self) -> float:
        """Seconds until the next attempt; about twice as long each time."""
        pause = self._now * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
        self._now = min(self._now * 2, self._most)
        return pause

    def reset(self) -> None:
        """The last attempt worked."""
        self._now = self._first


async def forever(name: str, once: Callable[[], Awaitable[None]]) -> None:
    """Call `once` again whenever it ends or fails; a failure is logged with its cause. A pause follows."""
    backoff = Backoff()
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await once()
        except HAProxyError as error:  # while it is started again, for example
            log.warning("HAProxy cannot be asked; it is tried again", task=name, why=error.what)
        except Exception:
            log.exception("task failed, it is started again", task=name)
        if asyncio.get_running_loop().time() - began > 30:
            backoff.reset()
        await asyncio.sleep(backoff.next())
