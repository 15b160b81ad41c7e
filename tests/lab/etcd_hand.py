"""A registrar's hand in a lab etcd: holders, entries, and waiting for what stands there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from longshore.clients.etcd import Patience
from longshore.core.entries import Entry
from longshore.core.layouts import LAYOUTS
from longshore.registries.etcd import EtcdHolder, Pace
from longshore.registries.hold import LeaseStatus
from tests.lab.etcd import Etcd
from tests.lab.etcd_sight import PREFIX, settings
from tests.lab.waiting import eventually

QUICK = Patience(answer=2.0, connect=1.0, quiet=0.5)
PACE = Pace(compare=0.5, spread=0.1)


def entry(identity: str, port: int = 8000, owner: str = "h1", service: str = "web") -> Entry:
    """Make an entry of an owner."""
    return Entry(service, identity, "10.0.0.5", port, name=identity, owner=owner)


def wish(*entries: Entry) -> dict[str, Entry]:
    """Say what is wanted as `Holder.want` takes it."""
    return {f"{each.service}/{each.id}": each for each in entries}


def written(*entries: Entry) -> dict[str, str]:
    """Return what stands in etcd when these entries do."""
    write = LAYOUTS["native"].write
    assert write
    return {key: value.decode() for key, value in (write(PREFIX, each) for each in entries)}


def holder_of(etcd: Etcd, owner: str = "h1", ttl: float = 30, layout: str = "native", **more: Any) -> EtcdHolder:
    """Make a holder; `more` goes into the source's section."""
    return EtcdHolder("etcd", settings(etcd, **more), LAYOUTS[layout], owner, ttl, patience=QUICK, pace=PACE)


@contextlib.asynccontextmanager
async def running(holder: EtcdHolder) -> AsyncIterator[EtcdHolder]:
    """Let it run, and end it without a farewell, as a crash would."""
    task = asyncio.create_task(holder.run())
    try:
        yield holder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_there(etcd: Etcd, *entries: Entry) -> None:
    """Wait until these entries stand there, and nothing else."""
    await eventually(lambda: etcd.keys(PREFIX) == written(*entries), what=f"{[e.id for e in entries]} stand there")


async def until_state(holder: EtcdHolder, **states: str) -> dict[str, LeaseStatus]:
    """Wait until a holder tells exactly these states, by id."""

    def told() -> bool:
        return {lease.id: lease.state for lease in holder.leases()} == states

    await eventually(told, what=f"{states} is told")
    return {lease.id: lease for lease in holder.leases()}
