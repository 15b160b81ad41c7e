"""From one registrar's hand to a balancer's snapshot through real etcd: found, changed, kept while etcd is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from longshore.core.entries import Entry
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Snapshot
from longshore.core.registered import Options
from longshore.sources import registered
from longshore.sources.etcd import EtcdAdapter
from tests.lab.etcd import Etcd
from tests.lab.etcd_hand import QUICK, holder_of, running, wish
from tests.lab.etcd_sight import PREFIX, settings
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


class Seen:
    """The latest snapshot, and the fewest endpoints that any held since there were some."""

    def __init__(self) -> None:
        self.snapshot = Snapshot("etcd")
        self.least: int | None = None

    def take(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        count = sum(len(service.endpoints) for service in snapshot.services)
        if count or self.least is not None:
            self.least = count if self.least is None else min(self.least, count)

    @property
    def found(self) -> dict[str, set[str]]:
        """Names of services, and where their endpoints are."""
        return {s.name: {f"{e.address}:{e.port}" for e in s.endpoints} for s in self.snapshot.services}


@contextlib.asynccontextmanager
async def balancer(etcd: Etcd) -> AsyncIterator[Seen]:
    seen = Seen()
    options = Options("etcd", LAYOUTS["native"], PREFIX)
    task = asyncio.create_task(registered.watch(options, EtcdAdapter(settings(etcd), QUICK), seen.take))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def web(owner: str, address: str, *ports: int) -> dict[str, Entry]:
    labels = (("longshore.host", "web.test"),)
    each = [Entry("web", f"{owner}:{port}", address, port, owner=owner, labels=labels) for port in ports]
    return wish(*each)


async def test_two_hosts_register_and_every_balancer_sees_the_same(own_network: None) -> None:
    with Etcd("3.5", size=3) as etcd:
        one, two = holder_of(etcd, "h1"), holder_of(etcd, "h2")
        async with balancer(etcd) as first, balancer(etcd) as second, running(one), running(two):
            one.want(web("h1", "10.0.0.1", 8000, 8001))
            two.want(web("h2", "10.0.0.2", 8000))
            everything = {"web": {"10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000"}}
            await eventually(lambda: first.found == second.found == everything)
            assert first.snapshot.services[0].routes[0].host == "web.test"
            before = first.least = second.least = 3
            for member in (0, 1):  # the quorum is lost
                etcd.kill(member)
            await eventually(lambda: first.snapshot.stale and second.snapshot.stale)
            one.want(web("h1", "10.0.0.1", 8000, 8001, 8002))
            assert first.found == second.found == everything
            for member in (0, 1):
                etcd.start(member, wait=False)
            everything["web"].add("10.0.0.1:8002")
            await eventually(lambda: first.found == second.found == everything)
            await eventually(lambda: not first.snapshot.stale and not second.snapshot.stale)
            assert first.least == second.least == before
            one.want(web("h1", "10.0.0.1", 8001, 8002))
            everything["web"].remove("10.0.0.1:8000")
            await eventually(lambda: first.found == second.found == everything)


async def test_foreign_and_broken_values_are_told_and_disturb_nothing(own_network: None) -> None:
    with Etcd("3.4") as etcd:
        etcd.put(f"{PREFIX}/web/no-json", "hello")
        etcd.put(f"{PREFIX}/web/large", "x" * 1_000_000)
        etcd.put(f"{PREFIX}/web/bytes".encode() + b"\xff", b"\xff\xfe\x00")
        etcd.put(f"{PREFIX}/web/no/such/depth", "{}")
        etcd.put(f"{PREFIX}/web/port", '{"host": "10.0.0.9", "port": 99999}')
        holder = holder_of(etcd, "h1")
        async with balancer(etcd) as seen, running(holder):
            holder.want(web("h1", "10.0.0.1", 8000))
            await eventually(lambda: seen.found == {"web": {"10.0.0.1:8000"}})
            await eventually(lambda: len(seen.snapshot.problems) == 5)
            etcd.put(
                f"{PREFIX}/web/no-json", '{"host": "10.0.0.3", "port": 80, "labels": {"longshore.host": "web.test"}}'
            )
            await eventually(lambda: seen.found == {"web": {"10.0.0.1:8000", "10.0.0.3:80"}})
            assert len(seen.snapshot.problems) == 4
