"""A registrar's hand in a real Consul: what is wanted stands there, once, for as long as it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from longshore.core.entries import COPY, Entry
from longshore.registries.hold import Holder
from tests.lab.consul import Consul
from tests.lab.consul_hand import holder_of, notes, running, standing, until_state, until_there
from tests.lab.etcd_hand import entry, wish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[Consul]:
    with Consul() as agent:
        yield agent


@pytest.fixture
def consul(shared: Consul) -> Consul:
    """An agent without services."""
    for identity in shared.ask("GET", "agent/services"):
        shared.deregister(identity)
    return shared


def changed(consul: Consul, identity: str = "web/one") -> int:
    """Return when the check of a service was last changed."""
    return int(consul.checks()[f"longshore:{identity}"]["ModifyIndex"])


async def test_what_is_wanted_stands_there_with_a_check_each(consul: Consul) -> None:
    one, two, three = entry("one"), entry("two"), entry("three", service="api")
    async with running(holder := holder_of(consul)):
        holder.want(wish(one, two))
        await until_there(consul, one, two)
        told = await until_state(holder, one="held", two="held")
        assert told["one"].key == "web/one"
        assert (told["one"].registry, told["one"].ttl, told["one"].error) == ("consul", 30.0, "")
        before = changed(consul)
        holder.want(wish(one, entry("two", 9000), three))
        await until_there(consul, one, entry("two", 9000), three)
        holder.want(wish(one))
        await until_there(consul, one)
        await until_state(holder, one="held")
        assert changed(consul) == before  # what did not change is not written again
    holder_is_one: Holder = holder
    await holder_is_one.close(keep=False)
    assert not standing(consul)
    assert not holder.leases()


async def test_others_find_what_was_registered(consul: Consul) -> None:
    """Consul's own DNS and every other program see address, port, tags and meta."""
    labels = (("longshore.host", "a.test"), ("version", "2"))
    one = Entry("web", "one", "10.0.0.5", 8000, owner="h1", labels=labels, tags=("blue",))
    async with running(holder := holder_of(consul)):
        holder.want(wish(one))
        await until_there(consul, one)
    (row,) = consul.ask("GET", "health/service/web", passing="true")
    service = row["Service"]
    assert (service["Address"], service["Port"], service["Tags"]) == ("10.0.0.5", 8000, ["longshore", "blue"])
    assert service["Meta"] == {"longshore-entry-owner": "h1", "longshore-host": "a.test", "version": "2"}


async def test_no_wish_is_not_an_empty_wish(consul: Consul) -> None:
    """What an earlier run left is kept alive until somebody says what is wanted."""
    one = entry("one")
    async with running(first := holder_of(consul, ttl=2)):
        first.want(wish(one))
        await until_there(consul, one, ttl=2)
    async with running(second := holder_of(consul, ttl=2)):
        before = changed(consul)
        consul.register("canary", "canary", 80, Check={"CheckID": "canary", "TTL": "2s", "Status": "passing"})
        await eventually(lambda: consul.checks()["canary"]["Status"] == "critical", what="two seconds have passed")
        assert standing(consul) == {"web/one": notes(one, 2)}
        assert changed(consul) == before
        await second.close(keep=False)
        assert standing(consul)
        second.want({})
        await until_there(consul)


async def test_a_registrar_that_crashed_leaves_nothing_beyond_its_ttl(consul: Consul) -> None:
    one, other = entry("one"), entry("other", owner="h2")
    async with running(survivor := holder_of(consul, "h2", ttl=2)):
        survivor.want(wish(other))
        async with running(holder := holder_of(consul, "h1", ttl=2)):
            holder.want(wish(one))
            await until_there(consul, one, other, ttl=2)
        await until_there(consul, other, ttl=2)


async def test_the_next_run_adopts_what_it_wants_and_removes_the_rest(consul: Consul) -> None:
    """Nothing is written anew, so that no balancer notices an upgrade of the registrar."""
    one, two, three = entry("one"), entry("two"), entry("three")
    async with running(first := holder_of(consul)):
        first.want(wish(one, two))
        await until_there(consul, one, two)
    await first.close(keep=True)
    before = changed(consul)
    async with running(second := holder_of(consul)):
        second.want(wish(one, three))
        await until_there(consul, one, three)
        await until_state(second, one="held", three="held")
        assert changed(consul) == before


async def test_what_ran_out_meanwhile_is_alive_again_without_being_written(consul: Consul) -> None:
    one = entry("one")
    async with running(first := holder_of(consul, ttl=2)):
        first.want(wish(one))
        await until_there(consul, one, ttl=2)
    await eventually(lambda: not standing(consul))
    async with running(second := holder_of(consul, ttl=2)):
        second.want(wish(one))
        await until_there(consul, one, ttl=2)
        await until_state(second, one="held")


async def test_with_another_ttl_entries_are_written_again(consul: Consul) -> None:
    one = entry("one")
    async with running(first := holder_of(consul, ttl=600)):
        first.want(wish(one))
        await until_there(consul, one, ttl=600)
    async with running(second := holder_of(consul, ttl=30)):
        second.want(wish(one))
        await until_there(consul, one)


async def test_services_of_others_are_never_touched(consul: Consul) -> None:
    """The registrar says who is in the way, and takes the place when it becomes free."""
    mine, two, theirs = entry("one"), entry("two"), entry("one", 9999, owner="h2")
    consul.register("web/hand", "web", 80, Tags=["longshore"])
    hand = consul.ask("GET", "agent/services")["web/hand"]
    async with running(other := holder_of(consul, "h2")), running(holder := holder_of(consul, "h1")):
        other.want(wish(theirs))
        await until_there(consul, theirs)
        holder.want(wish(mine, two, entry("hand")))
        told = await until_state(holder, one="refused", two="held", hand="refused")
        assert told["one"].error == "a service of h2 has the ID web/one"
        assert told["hand"].error == "a service that longshore did not register has the ID web/hand"
        await until_there(consul, theirs, two)
        other.want({})
        await until_state(holder, one="held", two="held", hand="refused")
    await holder.close(keep=False)
    assert consul.ask("GET", "agent/services") == {"web/hand": hand}


async def test_a_copy_gives_way_to_the_original_and_goes_without_a_word(consul: Consul) -> None:
    copy, mine = entry("one", 9999, owner=f"{COPY}etcd"), entry("one")
    async with running(sync := holder_of(consul, copy.owner)), running(holder := holder_of(consul)):
        sync.want(wish(copy))
        await until_there(consul, copy)
        holder.want(wish(mine))
        await until_there(consul, mine)
        await until_state(sync, one="refused")
        holder.want({})
        await until_there(consul, copy)
        sync.want({})
        await until_there(consul)
        await until_state(sync)


async def test_what_somebody_removes_or_overwrites_is_mended_or_told(consul: Consul) -> None:
    one, two, three = entry("one"), entry("two"), entry("three")
    async with running(holder := holder_of(consul)):
        holder.want(wish(one, two, three))
        await until_there(consul, one, two, three)
        consul.deregister("web/one")
        consul.ask("PUT", "agent/check/deregister/longshore:web/three")
        await until_there(consul, one, two, three)
        consul.register("web/two", "web", 80)
        await until_state(holder, one="held", two="refused", three="held")
        assert consul.ask("GET", "agent/services")["web/two"]["Port"] == 80


async def test_a_hundred_entries_at_once(consul: Consul) -> None:
    many = [entry(f"e{number}") for number in range(100)]
    async with running(holder := holder_of(consul)):
        holder.want(wish(*many))
        await until_there(consul, *many)
        holder.want(wish(*many[::2]))
        await until_there(consul, *many[::2])


async def test_the_last_wish_counts_however_fast_they_come(consul: Consul) -> None:
    async with running(holder := holder_of(consul)):
        for number in range(50):
            holder.want(wish(entry("one", 8000 + number), entry(f"e{number % 5}")))
            await asyncio.sleep(0.002)
        last = entry("one", 8049), entry("e4")
        await until_there(consul, *last)
        await until_state(holder, one="held", e4="held")
        holder.want({})
        await until_there(consul)
        await until_state(holder)


async def test_an_entry_that_cannot_be_written_harms_no_other(consul: Consul) -> None:
    two = entry("two")
    async with running(holder := holder_of(consul)):
        large = Entry("web", "large", "10.0.0.5", 80, owner="h1", labels=(("x", "y" * 300_000),))
        many = Entry("web", "many", "10.0.0.5", 80, owner="h1", labels=tuple((f"k{n}", "v") for n in range(100)))
        odd = entry("ünï:80/tcp?#%".replace("/", "|"))
        holder.want(wish(entry("a/b"), large, many, odd, two))
        states = {"a/b": "refused", "large": "refused", "many": "held", odd.id: "held", "two": "held"}
        told = await until_state(holder, **states)
        assert "cannot be part of a key" in told["a/b"].error
        assert "is larger than" in told["large"].error
        await until_there(consul, two, many, odd)
        holder.want(wish(two))
        await until_state(holder, two="held")
        await until_there(consul, two)
