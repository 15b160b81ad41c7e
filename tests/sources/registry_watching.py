"""A hand-made registry for tests of the common loop: what stands there is told by the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from longshore.clients.registry_faults import RegistryError
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Snapshot
from longshore.core.registered import Options, Value
from longshore.sources.answering import Answer
from longshore.sources.registered import Adapter, Gate, Patience, Sink, watch

PREFIX = "/longshore/services"
OPTIONS = Options("etcd", LAYOUTS["native"], PREFIX)
QUICK = Patience(first=0.001, longest=0.01, doubt=0.005)


def entry(host: str = "10.0.0.5", port: int = 80, **more: Any) -> bytes:
    """The value of an entry."""
    return json.dumps({"host": host, "port": port, **more}).encode()


def keys(found: Mapping[str, bytes]) -> dict[str, Value]:
    """Whole keys."""
    return {f"{PREFIX}/{key}": value for key, value in found.items()}


class Registry:
    """Lists `content`, then does what the test says: `tell` to change, `fail` to break the stream."""

    def __init__(self, **content: bytes) -> None:
        self.content = {key.replace("_", "/"): value for key, value in content.items()}
        self.listings = 0
        self.away: RegistryError | None = None
        self._orders: asyncio.Queue[Callable[[Sink], None]] = asyncio.Queue()

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell what stands here, then follow orders."""
        if self.away:
            raise self.away
        self.listings += 1
        sink.replace(keys(self.content))
        sink.published()
        while True:
            (await self._orders.get())(sink)

    def tell(self, **content: bytes | None) -> None:
        """Change some keys in one batch."""

        def order(sink: Sink) -> None:
            for key, value in content.items():
                key = key.replace("_", "/")
                if value is None:
                    self.content.pop(key, None)
                    sink.delete(f"{PREFIX}/{key}")
                else:
                    self.content[key] = value
                    sink.put(f"{PREFIX}/{key}", value)
            sink.published()

        self._orders.put_nowait(order)

    def fail(self, error: RegistryError) -> None:
        """Break the stream, and every new one until `away` is None."""
        self.away = error

        def order(sink: Sink) -> None:
            raise error

        self._orders.put_nowait(order)


class Watching:
    """A running source, with what it published."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.answers: dict[tuple[str, int], Answer] = {}
        self.gate = Gate()
        self._news = asyncio.Event()

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self._news.set()

    async def answer(self, address: str, port: int) -> Answer:
        return self.answers.get((address, port), "refused")

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    @property
    def endpoints(self) -> list[str]:
        """The endpoints of the last snapshot, as "service/id"."""
        return [f"{service.name}/{e.id}" for service in self.last.services for e in service.endpoints]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a snapshot with which a condition holds."""
        async with asyncio.timeout(20):
            while not (self.snapshots and condition()):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(registry: Registry | Adapter, options: Options = OPTIONS, **more: Any) -> AsyncIterator[Watching]:
    """Run the source on a registry."""
    seen = Watching()
    given: dict[str, Any] = {"patience": QUICK, "answer": seen.answer, **more}
    task = asyncio.create_task(watch(options, registry, seen.publish, gate=seen.gate, **given))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()
