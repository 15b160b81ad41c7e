"""A registrar's hand in a lab Consul: settings, holders, and waiting for what everybody sees there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from longshore.clients.consul import Patience
from longshore.config.registries import ConsulSource
from longshore.core.entries import Entry
from longshore.core.layouts.consul import registration
from longshore.registries.consul import ConsulHolder, Pace
from longshore.registries.hold import Holder, LeaseStatus
from tests.lab.consul import Consul
from tests.lab.waiting import eventually

H = TypeVar("H", bound=Holder)
QUICK = Patience(answer=9.0, connect=1.0, quiet=0.5)
PACE = Pace(longest=0.5, compare=0.5, spread=0.1, arrival=0.5, linger=0.3)


def settings(consul: Consul, member: int = 0, **more: Any) -> ConsulSource:
    """Return the section of a source that reads (and writes to) an agent."""
    section: dict[str, Any] = {"address": consul.address(member)}
    if consul.tls:
        section["tls"] = {"ca": str(consul.authority.ca)}
    if consul.tls == "mutual":
        section["tls"] |= {"cert": str(consul.client[0]), "key": str(consul.client[1])}
    return ConsulSource.model_validate(section | more)


def holder_of(consul: Consul, owner: str = "h1", ttl: float = 30, member: int = 0, **more: Any) -> ConsulHolder:
    """Make a holder; `more` goes into the source's section."""
    return ConsulHolder("consul", settings(consul, member, **more), owner, ttl, patience=QUICK, pace=PACE)


@contextlib.asynccontextmanager
async def running(holder: H) -> AsyncIterator[H]:
    """Let it run, and end it without a farewell, as a crash would."""
    task = asyncio.create_task(holder.run())
    try:
        yield holder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def notes(entry: Entry, ttl: float = 30) -> str:
    """Return what the check of an entry says."""
    return str(registration(entry, ttl)["Check"]["Notes"])


def standing(consul: Consul) -> dict[str, str]:
    """Return the notes of the checks that pass, by the ID of the service, as everybody sees them."""
    return {check["ServiceID"]: check["Notes"] for check in consul.checks().values() if check["Status"] == "passing"}


async def until_there(consul: Consul, *entries: Entry, ttl: float = 30) -> None:
    """Wait until these entries stand there, and no other service with a check that passes."""
    wanted = {f"{each.service}/{each.id}": notes(each, ttl) for each in entries}
    await eventually(lambda: standing(consul) == wanted, what=f"{[e.id for e in entries]} stand there")


async def until_state(holder: Holder, **states: str) -> dict[str, LeaseStatus]:
    """Wait until a holder tells exactly these states, by id."""

    def told() -> bool:
        return {lease.id: lease.state for lease in holder.leases()} == states

    await eventually(told, what=f"{states} is told")
    return {lease.id: lease for lease in holder.leases()}
