"""Asking an engine about containers: each by a task of its own, so that one slow answer delays no other container.

The engine locks a container while it starts or dies, and an inspect waits for that lock (0.2 s around `die`, for ever
when the engine is wedged). An event that comes while the answer is under way makes it be asked once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.sources.docker_picture import Picture

AT_ONCE = 16
"""Containers that are asked about at the same time in a listing."""
PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a container is asked about again that the engine could not tell of."""


class Asking:
    """All questions of one connection. They end with `group`, and a failure of the engine as a whole ends the group."""

    def __init__(
        self, client: DockerClient, picture: Picture[Any], group: asyncio.TaskGroup, changed: Callable[[], None]
    ) -> None:
        self._client = client
        self._picture = picture
        self._group = group
        self._changed = changed
        self._open: dict[str, asyncio.Event] = {}  # set once there was an answer, or none could be had
        self._again: dict[str, float] = {}

    def ask(self, container: str, time: float) -> None:
        """Ask about a container because of an event at `time`."""
        if container in self._open:
            self._again[container] = time
        else:
            self._start(container, time)

    def ask_if_open(self, container: str, time: float) -> None:
        """Ask once more if an answer is under way: it may be older than the event at `time`."""
        if container in self._open:
            self._again[container] = time

    async def ask_all(self, containers: Iterable[str]) -> None:
        """Ask about many; return when each has been answered once, or could not be."""
        limit = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for container in containers:
                group.create_task(self._one_of_many(container, limit))

    async def _one_of_many(self, container: str, limit: asyncio.Semaphore) -> None:
        async with limit:
            await (self._open.get(container) or self._start(container, 0.0)).wait()

    def _start(self, container: str, time: float) -> asyncio.Event:
        tried = self._open[container] = asyncio.Event()
        self._group.create_task(self._until_answered(container, time, tried))
        return tried

    async def _until_answered(self, container: str, time: float, tried: asyncio.Event) -> None:
        pause = PAUSE
        while True:
            answered = await self._once(container, time)
            tried.set()
            if container in self._again:
                time = self._again.pop(container)
            elif answered:
                break
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        del self._open[container]

    async def _once(self, container: str, time: float) -> bool:
        try:
            document = await self._client.inspect(container)
        except DockerError as error:
            if error.status in (401, 403):  # a proxy that lets nobody ask: no container will ever be answered for
                raise
            if self._picture.trouble(container, f"the engine does not tell about it: {error.what}", error.hint):
                self._changed()
            return False
        if self._picture.learn(container, document, time):
            self._changed()
        return True
