"""Consul that fails: agents restarted, without a leader, without a quorum, hanging. Nothing is dropped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longshore.core.entries import Entry
from longshore.sources.consul import ConsulAdapter
from tests.lab.consul import Consul
from tests.lab.consul_hand import QUICK, holder_of, running, settings, standing, until_state, until_there
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import Sight, watching
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture
def three(own_network: None) -> Iterator[Consul]:
    """Three servers, and the agent of a host, which is number 3."""
    with Consul(size=3, clients=1) as cluster:
        yield cluster


async def until_seen(sight: Sight, *ids: str) -> None:
    def seen() -> bool:
        return {value.id for value in sight.seen.values() if isinstance(value, Entry)} == set(ids)

    await eventually(seen, what=f"{ids} are seen")


async def test_an_agent_that_is_away_is_waited_for_and_caught_up_with(own_network: None) -> None:
    """Away at the start; then away until the TTL has run out: what was wanted meanwhile is registered after it."""
    one, two = entry("one"), entry("two")
    with Consul() as consul:
        consul.stop(0)
        async with running(holder := holder_of(consul, ttl=2)):
            holder.want(wish(one))
            await eventually(lambda: "refuses connections" in holder.leases()[0].error)
            assert holder.leases()[0].state == "registering"
            consul.start(0)
            await until_there(consul, one, ttl=2)
            await until_state(holder, one="held")
            consul.stop(0)
            await until_state(holder, one="lost")
            holder.want(wish(one, two))
            consul.start(0)
            await until_there(consul, one, two, ttl=2)
            told = await until_state(holder, one="held", two="held")
            assert not told["one"].error


async def test_an_agent_that_forgot_everything_is_told_again(three: Consul) -> None:
    """A host's agent loses its disk: the catalog keeps what it said for a while, the agent itself knows nothing."""
    one, two = entry("one"), entry("two")
    async with running(holder := holder_of(three, member=3, ttl=2)):
        holder.want(wish(one, two))
        await until_there(three, one, two, ttl=2)
        three.kill(3)
        three.forget(3)
        three.start(3)
        await eventually(lambda: set(three.ask("GET", "agent/services", member=3)) == {"web/one", "web/two"})
        await until_there(three, one, two, ttl=2)
        await until_state(holder, one="held", two="held")


async def test_the_leader_dies_and_no_entry_is_missed(three: Consul) -> None:
    one, two = entry("one"), entry("two")
    adapter = ConsulAdapter(settings(three, 3), patience=QUICK)
    async with running(holder := holder_of(three, member=3)), watching(adapter) as sight:
        holder.want(wish(one))
        await until_seen(sight, "one")
        sight.note()
        three.kill(three.leader())
        holder.want(wish(one, two))
        await until_seen(sight, "one", "two")
        assert sight.always == {"n3/web/one"}
        await until_state(holder, one="held", two="held")


async def test_the_quorum_is_lost_and_comes_back(three: Consul) -> None:
    """The source says so and keeps what it knew; what was wanted meanwhile appears, what was unwanted goes.

    Agents cannot renew a check while they wait for a leader, so that TTLs of five seconds run out.
    """
    stays, goes, comes = entry("stays"), entry("goes"), entry("comes")
    async with running(holder := holder_of(three, member=3, ttl=5)):
        holder.want(wish(stays, goes))
        await until_there(three, stays, goes, ttl=5)
        leader = three.leader()
        lost = [leader, (leader + 1) % 3]
        async with watching(ConsulAdapter(settings(three, (leader + 2) % 3), patience=QUICK)) as sight:
            await until_seen(sight, "stays", "goes")
            for member in lost:
                three.kill(member)
            await eventually(lambda: any("leader" in fault.what for fault in sight.faults))
            sight.note()
            holder.want(wish(stays, comes))
            await until_state(holder, stays="lost", goes="withdrawing", comes="registering")
            assert len(sight.seen) == 2
            for member in lost:
                three.start(member, wait=False)
            three.until_healthy()
            await until_seen(sight, "stays", "comes")
            assert sight.always == {"n3/web/stays"}
            await until_state(holder, stays="held", comes="held")
            assert set(standing(three)) == {"web/stays", "web/comes"}


async def test_a_server_that_hangs_is_noticed(own_network: None) -> None:
    """Its connections stay open and say nothing, like those of a machine that lost its power."""
    one = entry("one")
    with Consul() as consul:
        async with running(holder := holder_of(consul)):
            holder.want(wish(one))
            await until_there(consul, one)
            patience = type(QUICK)(answer=1.0, quiet=0.5)
            async with watching(ConsulAdapter(settings(consul), patience=patience)) as sight:
                await until_seen(sight, "one")
                consul.freeze(0)
                await eventually(lambda: any("does not answer in time" in fault.what for fault in sight.faults))
                assert len(sight.seen) == 1
                consul.thaw(0)
                await eventually(lambda: sight.listings > 1)
                assert sight.least == 1
