"""Putting off the end of containers whose entries were withdrawn, so that balancers notice before the application goes.

A container whose stop signal does nothing (SIGURG …) gets it when somebody stops it, and runs on. Its entry goes at
once; when the delay is over, but a second before the engine's patience is, the registrar sends SIGTERM in its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from longshore.agent.register_engine import EngineHand
from longshore.clients.docker_faults import DockerError
from longshore.core.model import EndpointState, Problem
from longshore.core.registration import Registration

MARGIN = 1.0  # seconds before the engine kills


class Delays:
    """The containers that are waited for. `said` is told what was done: what, and why."""

    def __init__(self, said: Callable[[str, str], object]) -> None:
        self.hand: EngineHand | None = None
        self.problem: Problem | None = None
        self._said = said
        self._waiting: dict[str, asyncio.Task[None]] = {}  # by container id
        self._told: set[str] = set()  # those that got their SIGTERM

    def see(self, registrations: Iterable[Registration]) -> None:
        """Take in how this host's endpoints are now."""
        stopping: dict[str, Registration] = {}
        for each in registrations:
            if each.state is EndpointState.STOPPING and each.container and each.delay > 0:
                before = stopping.get(each.container)
                stopping[each.container] = each if before is None or before.delay < each.delay else before
        for container in self._waiting.keys() - stopping.keys():
            self._waiting.pop(container).cancel()
        self._told &= stopping.keys()
        for container, registration in stopping.items():
            if container not in self._waiting and container not in self._told:
                self._waiting[container] = asyncio.create_task(self._wait(container, registration))

    async def close(self) -> None:
        """Send at once what is still owed: nobody else would."""
        owed = list(self._waiting)
        for task in self._waiting.values():
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)
        self._waiting.clear()
        for container in owed:
            await self._terminate(container, "longshore ends")

    async def _wait(self, container: str, registration: Registration) -> None:
        delay = min(registration.delay, max(0.0, registration.stop_timeout - MARGIN))
        begun = registration.since or time.time()
        await asyncio.sleep(min(max(0.0, begun + delay - time.time()), delay))
        await self._terminate(registration.container, f"{delay:g} s after its stop signal", registration.entry.name)
        self._told.add(container)
        self._waiting.pop(container, None)

    async def _terminate(self, container: str, why: str, name: str = "") -> None:
        if self.hand is None:
            return
        name = name or container[:12]
        try:
            await self.hand.signal(container, "SIGTERM")
        except DockerError as error:
            hint = error.hint or "the engine kills it when its patience is over"
            self.problem = Problem(f"container {name}", f"could not be sent SIGTERM: {error.what}", hint)
            return
        self.problem = None
        self._said(f"sent SIGTERM to {name}", why)
