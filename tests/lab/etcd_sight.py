"""What an adapter tells, and settings of a source as the configuration gives them: for tests of registries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from longshore.clients.registry_faults import RegistryError
from longshore.config.registries import EtcdSource
from longshore.sources.registered import Adapter, Value
from tests.lab.etcd import Etcd
from tests.lab.waiting import eventually

PREFIX = "/longshore/services"


def settings(etcd: Etcd, **more: Any) -> EtcdSource:
    """Return the section of a source that reads (and writes to) a cluster."""
    section: dict[str, Any] = {"endpoints": etcd.endpoints, "prefix": PREFIX}
    if etcd.tls:
        section["tls"] = {"ca": str(etcd.authority.ca)}
    if etcd.tls == "mutual":
        section["tls"] |= {"cert": str(etcd.client[0]), "key": str(etcd.client[1])}
    return EtcdSource.model_validate(section | more)


class Sight:
    """A sink that remembers what it was told: what stands there, how often all was listed, what broke."""

    def __init__(self) -> None:
        self.there = dict[str, Value]()
        self.seen = dict[str, Value]()  # after the last batch: what a snapshot would hold
        self.listings = 0
        self.always = set[str]()  # keys that no snapshot since the last `note` was without
        self.least = 0  # the fewest entries that a snapshot held since the first listing
        self.faults = list[RegistryError]()

    def replace(self, found: Mapping[str, Value]) -> None:
        self.there = dict(found)
        self.listings += 1

    def put(self, key: str, value: Value) -> None:
        self.there[key] = value

    def delete(self, key: str) -> None:
        self.there.pop(key, None)

    def published(self) -> None:
        first = not self.seen and self.listings <= 1
        self.seen = dict(self.there)
        self.least = len(self.seen) if first else min(self.least, len(self.seen))
        self.always &= self.seen.keys()

    def note(self) -> None:
        """Watch what is seen now: `always` tells what of it was never away."""
        self.always = set(self.seen)

    async def until_fault(self, what: str) -> None:
        """Wait until a fault says this, or hints at it."""
        await eventually(lambda: any(what in str(fault) for fault in self.faults), what=f"{what!r} is told")

    async def until(self, **there: str) -> None:
        """Wait until exactly these entries are seen, by the ends of their keys."""
        wanted = {f"{PREFIX}/{key.replace('__', '/')}": value.encode() for key, value in there.items()}
        await eventually(lambda: self.seen == wanted, what=f"{wanted} is seen")


@contextlib.asynccontextmanager
async def watching(adapter: Adapter) -> AsyncIterator[Sight]:
    """Let an adapter tell a sight, again and again, as the loop of the sources does."""
    sight = Sight()

    async def loop() -> None:
        while True:
            try:
                await adapter.list_then_stream(sight)
            except RegistryError as error:
                sight.faults.append(error)
                await asyncio.sleep(0.1)

    task = asyncio.create_task(loop())
    try:
        yield sight
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
