"""A registrar's hand in real etcd servers: what is wanted stands there, once, for as long as it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from longshore.core.entries import Entry
from longshore.registries.hold import Holder
from tests.lab.etcd import SERIES, Etcd
from tests.lab.etcd_hand import PACE, entry, holder_of, running, until_state, until_there, wish, written
from tests.lab.etcd_sight import PREFIX
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", params=SERIES)
def shared(request: pytest.FixtureRequest, own_network: None) -> Iterator[Etcd]:
    with Etcd(request.param) as cluster:
        yield cluster


@pytest.fixture
def etcd(shared: Etcd) -> Etcd:
    """A cluster without keys and leases."""
    for lease in shared.leases():
        shared.ask("lease/revoke", {"ID": lease})
    shared.clear()
    return shared


async def test_what_is_wanted_stands_there_under_one_lease(etcd: Etcd) -> None:
    one, two, three = entry("one"), entry("two"), entry("three", service="api")
    async with running(holder := holder_of(etcd)):
        holder.want(wish(one, two))
        await until_there(etcd, one, two)
        told = await until_state(holder, one="held", two="held")
        assert told["one"].key == f"{PREFIX}/web/one"
        assert (told["one"].registry, told["one"].ttl, told["one"].error) == ("etcd", 30.0, "")
        assert len(etcd.leases()) == 1
        before = etcd.revisions()[f"{PREFIX}/web/one"]
        holder.want(wish(one, entry("two", 9000), three))
        await until_there(etcd, one, entry("two", 9000), three)
        holder.want(wish(one))
        await until_there(etcd, one)  # long before any TTL: the lease goes on
        await until_state(holder, one="held")
        assert etcd.revisions()[f"{PREFIX}/web/one"] == before  # what did not change is not written again
    holder_is_one: Holder = holder
    await holder_is_one.close(keep=False)
    assert not etcd.keys(PREFIX)
    assert not etcd.leases()
    assert not holder.leases()


async def test_no_wish_is_not_an_empty_wish(etcd: Etcd) -> None:
    """What an earlier run left is kept alive until somebody says what is wanted."""
    one = entry("one")
    async with running(first := holder_of(etcd)):
        first.want(wish(one))
        await until_there(etcd, one)
        (lease,) = etcd.leases()
    await eventually(lambda: etcd.rest_of(lease) < 28)
    async with running(second := holder_of(etcd)):
        await eventually(lambda: etcd.rest_of(lease) >= 29)
        await second.close(keep=False)
        assert etcd.keys(PREFIX) == written(one)
        second.want({})
        await until_there(etcd)


async def test_a_registrar_that_crashed_leaves_nothing_beyond_its_ttl(etcd: Etcd) -> None:
    one, other = entry("one"), entry("other", owner="h2")
    async with running(survivor := holder_of(etcd, "h2", ttl=2)):
        survivor.want(wish(other))
        async with running(holder := holder_of(etcd, "h1", ttl=2)):
            holder.want(wish(one))
            await until_there(etcd, one, other)
        await until_there(etcd, other)


async def test_the_next_run_adopts_what_it_wants_and_removes_the_rest(etcd: Etcd) -> None:
    """Nothing is written anew, so that no balancer notices an upgrade of the registrar."""
    one, two, three = entry("one"), entry("two"), entry("three")
    async with running(first := holder_of(etcd)):
        first.want(wish(one, two))
        await until_there(etcd, one, two)
    await first.close(keep=True)
    before = etcd.revisions()
    async with running(second := holder_of(etcd)):
        second.want(wish(one, three))
        await until_there(etcd, one, three)
        await until_state(second, one="held", three="held")
        assert len(etcd.leases()) == 1
        assert etcd.revisions()[f"{PREFIX}/web/one"] == before[f"{PREFIX}/web/one"]


async def test_with_another_ttl_entries_move_to_the_new_lease(etcd: Etcd) -> None:
    one = entry("one")
    async with running(first := holder_of(etcd, ttl=600)):
        first.want(wish(one))
        await until_there(etcd, one)
    async with running(second := holder_of(etcd, ttl=30)):
        second.want(wish(one))
        await until_state(second, one="held")
    await second.close(keep=False)
    assert not etcd.keys(PREFIX)


async def test_entries_of_others_are_never_touched(etcd: Etcd) -> None:
    """The registrar says who is in the way, and takes the place when it becomes free."""
    mine, two = entry("one"), entry("two")
    theirs = entry("one", 9999, owner="h2")
    async with running(other := holder_of(etcd, "h2")), running(holder := holder_of(etcd, "h1")):
        other.want(wish(theirs))
        etcd.put(f"{PREFIX}/web/by-hand", "somebody's")
        await eventually(lambda: len(etcd.keys(PREFIX)) == 2)
        holder.want(wish(mine, two))
        told = await until_state(holder, one="refused", two="held")
        assert f"another stands at {PREFIX}/web/one" in told["one"].error
        assert '"owner":"h2"' in told["one"].error
        assert etcd.keys(PREFIX) == written(theirs, two) | {f"{PREFIX}/web/by-hand": "somebody's"}
        other.want({})
        await until_state(holder, one="held", two="held")
        assert etcd.keys(PREFIX) == written(mine, two) | {f"{PREFIX}/web/by-hand": "somebody's"}


async def test_two_registrars_of_one_name_do_not_fight(etcd: Etcd) -> None:
    """A machine was copied. Once both know, each keeps its own, says it once, and takes only its own along."""
    one, two, three = entry("one"), entry("two"), entry("three")
    async with running(first := holder_of(etcd)):
        first.want(wish(one, two))
        await until_state(first, one="held", two="held")
        async with running(second := holder_of(etcd)):
            second.want(wish(three))
            told = await until_state(first, one="held", two="held", three="refused")
            assert "another registrar goes by this one's name" in told["three"].error
            await until_state(second, one="refused", three="held")
            await until_there(etcd, one, three, two)
            for _ in range(3):  # looks
                before = etcd.revisions(PREFIX)
                second.want(wish(three))
                await asyncio.sleep(PACE.compare)
                assert etcd.revisions(PREFIX) == before
        await second.close(keep=False)
        await until_there(etcd, one, two)
        await until_state(first, one="held", two="held")
    await first.close(keep=False)
    assert not etcd.leases()


async def test_a_lost_lease_is_made_anew_with_everything(etcd: Etcd) -> None:
    one, two = entry("one"), entry("two")
    async with running(holder := holder_of(etcd)):
        holder.want(wish(one, two))
        await until_there(etcd, one, two)
        for lease in etcd.leases():
            etcd.ask("lease/revoke", {"ID": lease})
        await until_there(etcd, one, two)
        await until_state(holder, one="held", two="held")


async def test_what_somebody_removes_or_overwrites_is_mended_or_told(etcd: Etcd) -> None:
    one, two = entry("one"), entry("two")
    async with running(holder := holder_of(etcd)):
        holder.want(wish(one, two))
        await until_there(etcd, one, two)
        etcd.delete(f"{PREFIX}/web/one")
        await until_there(etcd, one, two)
        etcd.put(f"{PREFIX}/web/two", "somebody's")
        await until_state(holder, one="held", two="refused")
        assert etcd.keys(PREFIX)[f"{PREFIX}/web/two"] == "somebody's"


async def test_a_hundred_entries_at_once(etcd: Etcd) -> None:
    many = [entry(f"e{number}") for number in range(100)]
    async with running(holder := holder_of(etcd)):
        holder.want(wish(*many))
        await until_there(etcd, *many)
        holder.want(wish(*many[::2]))
        await until_there(etcd, *many[::2])


async def test_the_last_wish_counts_however_fast_they_come(etcd: Etcd) -> None:
    async with running(holder := holder_of(etcd)):
        for number in range(50):
            holder.want(wish(entry("one", 8000 + number), entry(f"e{number % 5}")))
            await asyncio.sleep(0.002)
        last = entry("one", 8049), entry("e4")
        await until_there(etcd, *last)
        await until_state(holder, one="held", e4="held")
        holder.want({})
        await until_there(etcd)
        await until_state(holder)


async def test_an_entry_that_cannot_be_written_harms_no_other(etcd: Etcd) -> None:
    two = entry("two")
    async with running(holder := holder_of(etcd)):
        large = Entry("web", "large", "10.0.0.5", 80, owner="h1", labels=(("x", "y" * 2_000_000),))
        holder.want(wish(entry("a/b"), large, two))
        told = await until_state(holder, **{"a/b": "refused", "large": "refused", "two": "held"})
        assert "cannot be part of a key" in told["a/b"].error
        assert "so large a value" in told["large"].error
        assert etcd.keys(PREFIX) == written(two)
        holder.want(wish(two))
        await until_state(holder, two="held")


async def test_the_port_of_a_service_is_written_for_docker_discover(etcd: Etcd) -> None:
    """It stays when the container goes: other hosts may have more of them."""
    one = Entry("web", "4f3c2a1b0c9d:80", "10.0.0.5", 32768, owner="h1")
    port = {f"{PREFIX}/web/port": "80"}
    async with running(holder := holder_of(etcd, layout="docker-register")):
        holder.want(wish(one))
        await until_state(holder, **{"4f3c2a1b0c9d:80": "held"})
        assert etcd.keys(PREFIX) == port | {f"{PREFIX}/web/4f3c2a1b0c9d:80": "10.0.0.5:32768"}
    await holder.close(keep=False)
    assert etcd.keys(PREFIX) == port
