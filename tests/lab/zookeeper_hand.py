"""A registrar's hand in a lab ZooKeeper: holders, settings, and waiting for what stands there."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

from longshore.config.registries import ZookeeperSource
from longshore.core.entries import Entry
from longshore.core.layouts import layout_of
from longshore.registries.hold import LeaseStatus
from longshore.registries.zookeeper import Pace, ZooKeeperHolder
from tests.lab.etcd_sight import PREFIX
from tests.lab.waiting import eventually
from tests.lab.zookeeper import ZooKeeper

PACE = Pace(longest=0.5, refused=0.5, spread=0.1)


def settings(zookeeper: ZooKeeper, **more: Any) -> ZookeeperSource:
    """Return the section of a source that reads (and writes to) an ensemble."""
    return ZookeeperSource.model_validate({"hosts": zookeeper.hosts, "prefix": PREFIX} | more)


def holder_of(zookeeper: ZooKeeper, owner: str = "h1", ttl: float = 20, **more: Any) -> ZooKeeperHolder:
    """Make a holder; `more` goes into the source's section."""
    section = settings(zookeeper, **more)
    layout = layout_of(section.layout, path_encoding=section.path_encoding)
    return ZooKeeperHolder("zookeeper", section, layout, owner, ttl, pace=PACE)


@contextlib.asynccontextmanager
async def running(holder: ZooKeeperHolder) -> AsyncIterator[ZooKeeperHolder]:
    """Let it run, and end it without a farewell, as a crash would."""
    task = asyncio.create_task(holder.run())
    try:
        yield holder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await holder.close(keep=True)


def written(*entries: Entry) -> dict[str, str]:
    """Return what stands there when these entries do: values by path without the sequence."""
    write = layout_of("native").write
    assert write
    return {f"{key}_": value.decode() for key, value in (write(PREFIX, each) for each in entries)}


def standing(zookeeper: ZooKeeper, under: str = PREFIX) -> dict[str, str]:
    """Return the ephemeral nodes: values by path without the sequence. No entry may stand there twice."""
    found = dict[str, str]()
    for path, value in zookeeper.nodes(under).items():
        if re.search(r"_\d{10}$", path):
            assert path[:-10] not in found, f"{path[:-10]} stands there twice"
            found[path[:-10]] = value.decode()
    return found


async def until_there(zookeeper: ZooKeeper, *entries: Entry) -> None:
    """Wait until these entries stand there once each, and nothing else."""
    wanted = written(*entries)
    await eventually(lambda: standing(zookeeper) == wanted, what=f"{[e.id for e in entries]} stand there", every=0.05)


async def until_state(holder: ZooKeeperHolder, **states: str) -> dict[str, LeaseStatus]:
    """Wait until a holder tells exactly these states, by id."""

    def told() -> bool:
        return {lease.id: lease.state for lease in holder.leases()} == states

    await eventually(told, what=f"{states} is told")
    return {lease.id: lease for lease in holder.leases()}
