"""The first check of every endpoint is ours: it gets traffic only after it has answered once.

HAProxy starts to check a new server when it likes, and until then sends it requests or none at all. So we connect the
moment an endpoint becomes known and again every few milliseconds until it answers, then HAProxy takes over. A container
that listens is in rotation at once; one that never listens never sees a request.

`Prober.want` says which targets there are now. What answered is in `admitted`; who is not wanted any more is forgotten,
and proves itself again when it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from longshore.agent.first_check import CheckFailed, Target, begin, check, passed

NEWCOMERS = 192  # first attempts at once
RETRIES = 64  # later attempts at once; so thousands that never answer do not delay a newcomer


@dataclass(frozen=True, slots=True)
class Waiting:
    """A target that has not answered yet, and why: what the last attempt met."""

    attempts: int
    reason: str


class Prober:
    """Probes targets until each has answered once. `on_change(key)` is called for answers that come after `want`."""

    def __init__(self, on_change: Callable[[str], object]) -> None:
        self.admitted: dict[str, float] = {}  # key -> seconds from becoming wanted to the answer
        self.waiting: dict[str, Waiting] = {}
        self._on_change = on_change
        self._targets: dict[str, Target] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: set[asyncio.Task[None]] = set()
        self._newcomers = asyncio.Semaphore(NEWCOMERS)
        self._retries = asyncio.Semaphore(RETRIES)

    def want(self, targets: Mapping[str, Target]) -> None:
        """Probe these and forget all others. Connections to new targets are under way when this returns.

        A target without a check is admitted when this returns, and so is one that took our connection at once, as what
        listens on this machine does: both without a call of `on_change`.
        """
        for key in self._targets.keys() - targets.keys():
            self._forget(key)
        for key, target in targets.items():
            known = self._targets.get(key)
            if known is target or known == target:
                continue
            if known is not None:
                self._forget(key)
            self._targets[key] = target
            if target.check.kind == "none":
                self.admitted[key] = 0.0
            else:
                self._start(key, target)

    def idle(self) -> bool:
        """Say whether every target has answered."""
        return not self._tasks

    async def close(self) -> None:
        """Forget all targets and end every connection."""
        self.want({})
        await asyncio.gather(*self._ended, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn

    def _start(self, key: str, target: Target) -> None:
        sock = None
        if len(self._tasks) < NEWCOMERS:
            with contextlib.suppress(OSError):  # the next attempt says it
                sock = begin(target)
        if sock is not None and passed(target, sock):
            sock.close()
            self.admitted[key] = 0.0
            return
        self.waiting[key] = Waiting(0, "not asked yet")
        task = asyncio.create_task(self._probe(key, target, sock), name=f"first check of {key}")
        if sock is not None:
            task.add_done_callback(lambda _: sock.close())  # a task ended before its first turn closes nothing
        self._tasks[key] = task

    def _forget(self, key: str) -> None:
        del self._targets[key]
        self.admitted.pop(key, None)
        self.waiting.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            self._ended.add(task)
            task.add_done_callback(self._ended.discard)

    async def _probe(self, key: str, target: Target, sock: socket.socket | None) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        attempt = 0
        while True:
            attempt += 1
            async with self._newcomers if attempt == 1 else self._retries:
                try:
                    await check(target, sock or begin(target), patience(loop.time() - begun))
                    break
                except CheckFailed as failed:
                    self.waiting[key] = Waiting(attempt, str(failed))
                except OSError as error:
                    self.waiting[key] = Waiting(attempt, f"no socket: {error.strerror}")
            sock = None
            await asyncio.sleep(pause(loop.time() - begun))
        self.admitted[key] = loop.time() - begun
        del self.waiting[key]
        del self._tasks[key]
        self._on_change(key)


def pause(elapsed: float) -> float:
    """Return the seconds until the next attempt: a fifth of the time that was already waited, 2 ms .. 250 ms.

    So an endpoint is found at most 20 % later than it could be; after half a minute once a second must do.
    """
    return min(max(elapsed / 5, 0.002), 0.25) if elapsed < 30 else 1.0


def patience(elapsed: float) -> float:
    """Return how long to wait for a connection before starting a new one.

    The first packet to a network that is just being set up is often lost, and the kernel sends it again only after a
    second: early attempts are given up sooner. Far endpoints get more time with every attempt.
    """
    return max(0.1, elapsed / 2)
