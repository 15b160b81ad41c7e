"""A running `docker` source for tests: what it published, and waiting for what it shall publish."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from longshore.core.build import Options
from longshore.core.model import Endpoint, EndpointState, Service, Snapshot
from longshore.sources.docker import Patience, watch

QUICK = Patience(first=0.01, longest=0.05)
DEADLINE = 30.0
OPTIONS = Options(source="docker")
READY, WAITING, STOPPING = EndpointState.READY, EndpointState.WAITING, EndpointState.STOPPING


@dataclass(frozen=True)
class Settings:
    """The part of a source's configuration that it reads itself."""

    host: str
    tls: None = None


class Watching:
    """All snapshots of one source."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self._news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def publish(self, snapshot: Snapshot) -> None:
        """Take a snapshot from the source."""
        self.snapshots.append(snapshot)
        self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._news.set()

    @property
    def last(self) -> Snapshot:
        """The newest snapshot."""
        return self.snapshots[-1]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds after a snapshot."""
        async with asyncio.timeout(DEADLINE):
            while not (self.snapshots and condition()):
                assert self.task is None or not self.task.done(), "the source ended"
                self._news.clear()
                await self._news.wait()

    async def until_state(self, name: str, state: EndpointState | None) -> None:
        """Wait until the endpoint of a container is in a state; None: until there is none."""
        await self.until(lambda: self.state(name) is state)

    async def until_current(self) -> None:
        """Wait for a snapshot that is not stale."""
        await self.until(lambda: not self.last.stale)

    def endpoint(self, name: str) -> Endpoint | None:
        """Give the endpoint of a container by the container's name."""
        found = [endpoint for service in self.last.services for endpoint in service.endpoints if endpoint.name == name]
        assert len(found) < 2, found
        return found[0] if found else None

    def state(self, name: str) -> EndpointState | None:
        """Give the state of a container's endpoint; None if it has none."""
        endpoint = self.endpoint(name)
        return endpoint.state if endpoint else None

    def service(self, name: str) -> Service:
        """Give the service of a container's endpoint."""
        (found,) = [s for s in self.last.services if any(endpoint.name == name for endpoint in s.endpoints)]
        return found


@contextlib.asynccontextmanager
async def watching(host: str, patience: Patience = QUICK) -> AsyncIterator[Watching]:
    """Run the source until the end of the block; its failure is the test's."""
    seen = Watching()
    seen.task = asyncio.create_task(watch("docker", Settings(host), OPTIONS, seen.publish, patience=patience))
    seen.task.add_done_callback(lambda _: seen.wake())
    try:
        yield seen
    finally:
        seen.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await seen.task
