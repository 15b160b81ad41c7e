"""ZooKeeper ensembles that fail: without a leader, without a quorum, hanging, away. Nothing is dropped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from longshore.core.layouts import layout_of
from longshore.core.model import Snapshot
from longshore.core.registered import Options
from longshore.registries.zookeeper import ZooKeeperHolder
from longshore.sources import registered
from longshore.sources.zookeeper import Pace, ZooKeeperAdapter
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import PREFIX, watching
from tests.lab.waiting import eventually
from tests.lab.zookeeper import ZooKeeper
from tests.lab.zookeeper_hand import holder_of, running, settings, standing, until_state, until_there, written

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper(size=3) as ensemble:
        yield ensemble


@pytest.fixture
def three(shared: ZooKeeper) -> Iterator[ZooKeeper]:
    """An ensemble of three without entries; what a test broke is whole again afterwards."""
    shared.delete("/longshore")
    yield shared
    for member in set(range(3)) - set(shared.running):
        shared.start(member, wait=False)
    shared.until_healthy()


def adapter_of(zookeeper: ZooKeeper) -> ZooKeeperAdapter:
    return ZooKeeperAdapter(settings(zookeeper), pace=Pace(session=4))


def connection_of(holder: ZooKeeperHolder) -> socket.socket:
    assert holder._zookeeper
    connection = holder._zookeeper._bridge._handler._socket
    assert connection
    return connection


async def test_the_leader_dies_and_nothing_is_dropped(three: ZooKeeper) -> None:
    one, two = entry("one"), entry("two")
    async with watching(adapter_of(three)) as sight, running(holder := holder_of(three)):
        holder.want(wish(one))
        await until_there(three, one)
        await eventually(lambda: len(sight.seen) == 1)
        sight.least = 1
        node = set(three.nodes("/longshore"))
        three.kill(three.leader())
        holder.want(wish(one, two))
        await until_there(three, one, two)
        await until_state(holder, one="held", two="held")
        await eventually(lambda: len(sight.seen) == 2)
        assert sight.least == 1
        assert node < set(three.nodes("/longshore"))  # the session went on with another server


async def test_the_quorum_is_lost_and_comes_back(three: ZooKeeper) -> None:
    """What is wanted meanwhile is registered afterwards; what stood there before stands there still."""
    one, two, three_ = entry("one"), entry("two"), entry("three", service="api")
    async with watching(adapter_of(three)) as sight, running(holder := holder_of(three)):
        holder.want(wish(one, two))
        await until_there(three, one, two)
        await eventually(lambda: len(sight.seen) == 2)
        sight.least = 2
        node = {lease.id: lease.key for lease in holder.leases()}["one"]
        leader = three.leader()
        other = (leader + 1) % 3
        three.kill(leader)
        three.kill(other)
        told = await until_state(holder, one="lost", two="lost")
        assert "lost the connection to ZooKeeper" in told["one"].error
        holder.want(wish(one, two, three_))
        await eventually(lambda: len(sight.faults) > 1)
        await eventually(lambda: "has the ensemble lost its quorum?" in str(sight.faults[-1]))
        assert len(sight.seen) == 2
        three.start(leader, wait=False)
        three.start(other, wait=False)
        await until_there(three, one, two, three_)
        now = await until_state(holder, one="held", two="held", three="held")
        assert now["one"].key == node
        await eventually(lambda: set(sight.seen) == {lease.key for lease in now.values()})
        assert sight.least == 2


async def test_two_hosts_register_and_every_balancer_sees_the_same_through_a_lost_quorum(three: ZooKeeper) -> None:
    snapshots = {"first": Snapshot("zookeeper"), "second": Snapshot("zookeeper")}
    least = list[int]()

    def found(snapshot: Snapshot) -> set[str]:
        return {f"{each.address}:{each.port}" for service in snapshot.services for each in service.endpoints}

    async def balancer(name: str) -> None:
        def take(snapshot: Snapshot) -> None:
            snapshots[name] = snapshot
            least.append(len(found(snapshot)))

        options = Options("zookeeper", layout_of("native"), PREFIX)
        await registered.watch(options, adapter_of(three), take, patience=registered.Patience(longest=0.5))

    def all_see(*places: str) -> bool:
        return all(found(each) == set(places) and not each.stale for each in snapshots.values())

    balancers = [asyncio.create_task(balancer(name)) for name in snapshots]
    try:
        async with running(one := holder_of(three, "h1")), running(two := holder_of(three, "h2")):
            one.want(wish(entry("a", 8000), entry("b", 8001)))
            two.want(wish(entry("c", 8002, owner="h2")))
            await eventually(lambda: all_see("10.0.0.5:8000", "10.0.0.5:8001", "10.0.0.5:8002"))
            least.clear()
            for member in (0, 1):
                three.kill(member)
            await eventually(lambda: all(each.stale for each in snapshots.values()))
            two.want(wish(entry("c", 8002, owner="h2"), entry("d", 8003, owner="h2")))
            for member in (0, 1):
                three.start(member, wait=False)
            await eventually(lambda: all_see(*(f"10.0.0.5:{port}" for port in range(8000, 8004))))
            assert min(least) == 3
    finally:
        for task in balancers:
            task.cancel()
        await asyncio.gather(*balancers, return_exceptions=True)


async def test_a_server_that_hangs_is_left_for_another(three: ZooKeeper) -> None:
    one, two = entry("one"), entry("two")
    async with watching(adapter_of(three)) as sight, running(holder := holder_of(three, ttl=4)):
        holder.want(wish(one))
        await until_there(three, one)
        await eventually(lambda: len(sight.seen) == 1)
        member = three.hosts.index(":".join(map(str, connection_of(holder).getpeername())))
        three.freeze(member)
        try:
            holder.want(wish(one, two))
            await until_state(holder, one="held", two="held")
            await eventually(lambda: len(sight.seen) == 2)
        finally:
            three.thaw(member)
        await until_there(three, one, two)


async def test_a_registry_that_is_away_is_waited_for_and_caught_up_with(own_network: None) -> None:
    """Away at the start; then away until the session has run out: what was wanted meanwhile is registered after it."""
    one, two = entry("one"), entry("two")
    with ZooKeeper() as zookeeper:
        zookeeper.kill(0)
        async with running(holder := holder_of(zookeeper, ttl=2)):
            holder.want(wish(one))
            await eventually(lambda: "connection refused" in holder.leases()[0].error)
            assert holder.leases()[0].state == "registering"
            zookeeper.start(0)
            await until_there(zookeeper, one)
            zookeeper.kill(0)
            told = await until_state(holder, one="lost")
            assert told["one"].error
            holder.want(wish(one, two))
            zookeeper.start(0)
            await until_there(zookeeper, one, two)
            told = await until_state(holder, one="held", two="held")
            assert not told["one"].error


async def test_a_registrar_that_was_cut_off_beyond_its_session_registers_again_once(own_network: None) -> None:
    one = entry("one")
    with ZooKeeper() as zookeeper:
        async with running(holder := holder_of(zookeeper, ttl=2)):
            holder.want(wish(one))
            await until_there(zookeeper, one)
            assert holder._zookeeper
            handler = holder._zookeeper._bridge._handler
            handler.cut()
            await eventually(lambda: not standing(zookeeper))
            await until_state(holder, one="lost")
            handler._is_cut = False
            await until_there(zookeeper, one)
            await until_state(holder, one="held")
            assert standing(zookeeper) == written(one)


async def test_closing_while_the_registry_is_away_does_not_hang(own_network: None) -> None:
    with ZooKeeper() as zookeeper:
        async with running(holder := holder_of(zookeeper)):
            holder.want(wish(entry("one")))
            await until_state(holder, one="held")
            zookeeper.kill(0)
            await until_state(holder, one="lost")
        await asyncio.wait_for(holder.close(keep=False), 30)
