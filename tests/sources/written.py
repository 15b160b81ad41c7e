"""Services written in YAML for tests, and a recorder of the snapshots that a source publishes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from longshore.config.document import parse
from longshore.config.entries import FixedService, services_file
from longshore.core.model import Endpoint, Service, Snapshot

PATIENCE = 20.0  # seconds


def entries(text: str, file: str = "vm.yaml") -> tuple[FixedService, ...]:
    """The valid services of a file's text."""
    found = services_file(parse(text.encode(), file))
    assert not found.problems, found.problems
    return tuple(service for service in found.services.values() if service)


class Published:
    """The snapshots of a source, and the condition to wait for."""

    def __init__(self) -> None:
        self.all: list[Snapshot] = []
        self._news = asyncio.Event()

    def __call__(self, snapshot: Snapshot) -> None:
        self.all.append(snapshot)
        self._news.set()

    @property
    def last(self) -> Snapshot:
        """The newest snapshot."""
        return self.all[-1]

    @property
    def services(self) -> dict[str, Service]:
        """The newest services by name."""
        return {service.name: service for service in self.last.services}

    def endpoints(self, service: str) -> dict[str, Endpoint]:
        """The newest endpoints of a service, by id."""
        return {endpoint.id: endpoint for endpoint in self.services[service].endpoints} if self.all else {}

    async def until(self, condition: Callable[[Published], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not (self.all and condition(self)):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(watch: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a source's watch for the time of a block."""
    task = asyncio.create_task(watch)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task.exception()


class Resolver:
    """A look-up of names that says what it is told, and remembers what it was asked. Runs in threads."""

    def __init__(self, **addresses: str) -> None:
        self.addresses = {name.replace("_", "."): address for name, address in addresses.items()}
        self.asked: list[str] = []
        self._news = threading.Condition()

    async def was_asked(self, times: int) -> list[str]:
        """Wait until it was asked so many times more, and give what for."""
        before = len(self.asked)

        def wait() -> list[str]:
            with self._news:
                assert self._news.wait_for(lambda: len(self.asked) >= before + times, PATIENCE)
            return self.asked[before:]

        return await asyncio.to_thread(wait)

    def __call__(self, host: str) -> tuple[str, ...]:
        with self._news:
            self.asked.append(host)
            self._news.notify_all()
        if host not in self.addresses:
            raise OSError(-2, "Name or service not known")
        return tuple(self.addresses[host].split())
