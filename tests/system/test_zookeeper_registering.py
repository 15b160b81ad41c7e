"""A registrar's hand in a real ZooKeeper: what is wanted stands there, once, for as long as it is kept."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from longshore.core.entries import Entry
from longshore.registries.hold import Holder
from longshore.registries.zookeeper import ZooKeeperHolder
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import PREFIX
from tests.lab.waiting import eventually
from tests.lab.zookeeper import ZooKeeper
from tests.lab.zookeeper_hand import holder_of, running, standing, until_state, until_there, written

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def zookeeper(shared: ZooKeeper) -> ZooKeeper:
    """A server without entries."""
    shared.delete("/longshore")
    return shared


def identity(holder: ZooKeeperHolder) -> tuple[int, bytes]:
    """The session of a holder."""
    assert holder._zookeeper
    return holder._zookeeper.identity


async def test_what_is_wanted_stands_there_in_one_session(zookeeper: ZooKeeper) -> None:
    one, two, three = entry("one"), entry("two"), entry("three", service="api")
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(one, two))
        await until_there(zookeeper, one, two)
        told = await until_state(holder, one="held", two="held")
        assert told["one"].key.startswith(f"{PREFIX}/web/one_")
        assert (told["one"].registry, told["one"].ttl, told["one"].error) == ("zookeeper", 20, "")
        assert {zookeeper.owner_of(lease.key) for lease in told.values()} == {identity(holder)[0]}
        holder.want(wish(one, entry("two", 9000), three))
        await until_there(zookeeper, one, entry("two", 9000), three)
        now = await until_state(holder, one="held", two="held", three="held")
        assert (now["one"].key, now["two"].key) == (told["one"].key, told["two"].key)  # changed where it stands
        holder.want(wish(one))
        await until_there(zookeeper, one)  # long before any TTL: the session goes on
        await until_state(holder, one="held")
        holder_is_one: Holder = holder
        await holder_is_one.close(keep=False)
        assert not standing(zookeeper)
        assert not holder.leases()


async def test_nothing_of_it_is_left_behind_in_this_process(zookeeper: ZooKeeper) -> None:
    before = set(threading.enumerate())
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(entry("one")))
        await until_state(holder, one="held")
        assert set(threading.enumerate()) > before
        await holder.close(keep=False)
    await eventually(lambda: not set(threading.enumerate()) - before)


async def test_no_wish_is_not_an_empty_wish(zookeeper: ZooKeeper) -> None:
    """What an earlier run left is kept, beyond the end of its session, until somebody says what is wanted."""
    one = entry("one")
    async with running(first := holder_of(zookeeper, ttl=2)):
        first.want(wish(one))
        await until_there(zookeeper, one)
        old, _ = identity(first)
    async with running(second := holder_of(zookeeper)):
        told = await until_state(second, one="held")
        assert zookeeper.owner_of(told["one"].key) == identity(second)[0] != old
        await until_there(zookeeper, one)
        second.want({})
        await until_there(zookeeper)
        await until_state(second)


async def test_a_registrar_that_crashed_leaves_nothing_beyond_its_session(zookeeper: ZooKeeper) -> None:
    one, other = entry("one"), entry("other", owner="h2")
    async with running(survivor := holder_of(zookeeper, "h2", ttl=2)):
        survivor.want(wish(other))
        async with running(holder := holder_of(zookeeper, "h1", ttl=2)):
            holder.want(wish(one))
            await until_there(zookeeper, one, other)
        await until_there(zookeeper, other)
        await until_state(survivor, other="held")


async def test_the_next_run_takes_over_what_it_wants_and_removes_the_rest(zookeeper: ZooKeeper) -> None:
    """It finds its own by owner and id, wherever it stands, and leaves alone what others registered."""
    one, two, three, theirs = entry("one"), entry("two"), entry("three", service="api"), entry("x", owner="h2")
    async with running(other := holder_of(zookeeper, "h2")):
        other.want(wish(theirs))
        async with running(first := holder_of(zookeeper)):
            first.want(wish(one, two, three))
            await until_there(zookeeper, one, two, three, theirs)
            old, _ = identity(first)
        async with running(second := holder_of(zookeeper)):
            second.want(wish(one, four := entry("four")))
            await until_there(zookeeper, one, four, theirs)
            told = await until_state(second, one="held", four="held")
            assert zookeeper.owner_of(told["one"].key) == identity(second)[0] != old
            await second.close(keep=False)
            await until_there(zookeeper, theirs)


async def test_the_same_id_of_another_owner_stands_beside_ours(zookeeper: ZooKeeper) -> None:
    """Nodes never collide, so nobody is refused, and nobody removes the other's."""
    mine, theirs = entry("one"), entry("one", 9999, owner="h2")
    async with running(other := holder_of(zookeeper, "h2")), running(holder := holder_of(zookeeper, "h1")):
        other.want(wish(theirs))
        await until_there(zookeeper, theirs)
        holder.want(wish(mine))
        await until_state(holder, one="held")
        assert sorted(zookeeper.nodes(PREFIX).values()) == sorted(
            value.encode() for each in (mine, theirs) for value in written(each).values()
        )
        holder.want({})
        await until_there(zookeeper, theirs)


async def test_two_registrars_of_one_name_do_not_fight(zookeeper: ZooKeeper) -> None:
    """The second takes over what the first had, the first writes its own again, and there it ends."""
    one, two = entry("one"), entry("two")
    async with running(first := holder_of(zookeeper)), running(second := holder_of(zookeeper)):
        first.want(wish(one))
        await until_state(first, one="held")
        second.want(wish(one))
        await until_state(second, one="held")
        await eventually(lambda: len(zookeeper.nodes(PREFIX)) == 2)
        before = set(zookeeper.nodes(PREFIX))
        for holder in (first, second):
            holder.want(wish(one, two))
            await until_state(holder, one="held", two="held")
        assert before < set(zookeeper.nodes(PREFIX))


async def test_a_session_that_ended_is_followed_by_one_with_everything(zookeeper: ZooKeeper) -> None:
    one, two = entry("one"), entry("two", service="api")
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(one, two))
        await until_there(zookeeper, one, two)
        old = identity(holder)
        zookeeper.end_session(*old)
        await eventually(lambda: holder._zookeeper and identity(holder)[0] not in (0, old[0]))
        await until_there(zookeeper, one, two)
        await until_state(holder, one="held", two="held")


async def test_what_somebody_removes_or_overwrites_is_mended(zookeeper: ZooKeeper) -> None:
    one, two = entry("one"), entry("two")
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(one, two))
        told = await until_state(holder, one="held", two="held")
        zookeeper.delete(told["one"].key)
        await until_there(zookeeper, one, two)
        zookeeper.put(told["two"].key, "somebody's")
        await until_there(zookeeper, one, two)
        zookeeper.delete(f"{PREFIX}/web")
        await until_there(zookeeper, one, two)
        await until_state(holder, one="held", two="held")


async def test_a_hundred_entries_at_once(zookeeper: ZooKeeper) -> None:
    many = [entry(f"e{number}", service=f"s{number % 20}") for number in range(100)]
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(*many))
        await until_there(zookeeper, *many)
        holder.want(wish(*many[::2]))
        await until_there(zookeeper, *many[::2])


async def test_the_last_wish_counts_however_fast_they_come(zookeeper: ZooKeeper) -> None:
    async with running(holder := holder_of(zookeeper)):
        for number in range(50):
            holder.want(wish(entry("one", 8000 + number), entry(f"e{number % 5}")))
            await asyncio.sleep(0.002)
        await until_there(zookeeper, entry("one", 8049), entry("e4"))
        await until_state(holder, one="held", e4="held")
        holder.want({})
        await until_there(zookeeper)
        await until_state(holder)


async def test_an_entry_that_cannot_be_written_harms_no_other(zookeeper: ZooKeeper) -> None:
    two = entry("two")
    async with running(holder := holder_of(zookeeper)):
        large = Entry("web", "large", "10.0.0.5", 80, owner="h1", labels=(("x", "y" * 2_000_000),))
        holder.want(wish(entry("a/b"), large, entry("a\x01b"), two))
        told = await until_state(holder, **{"a/b": "refused", "large": "refused", "a\x01b": "refused", "two": "held"})
        assert "cannot be part of a key" in told["a/b"].error
        assert "at most 1000000 can be stored" in told["large"].error
        assert "refuses to create" in told["a\x01b"].error
        assert standing(zookeeper) == written(two)
        holder.want(wish(two))
        await until_state(holder, two="held")


@pytest.mark.parametrize("path_encoding", [False, True])
async def test_nerve_s_layout_is_written_as_nerve_does_and_taken_over(
    zookeeper: ZooKeeper, path_encoding: bool
) -> None:
    """Its entries say no owner; the next run knows its own by their place and address."""
    more: dict[str, Any] = {"layout": "nerve", "path-encoding": path_encoding}
    one, other = entry("one", 8001), entry("two", 8002, owner="h2")
    folder = f"{PREFIX}/web/services"

    def there() -> list[tuple[str, int]]:
        values = list[bytes]()
        for path, value in zookeeper.nodes(folder).items():
            name = path.removeprefix(f"{folder}/")
            if path_encoding:
                _, length, *rest = name.split("_")
                assert len("_".join(rest[:-1])) == int(length)
                values.append(urlsafe_b64decode("_".join(rest[:-1])))
            elif name != folder:
                assert name[:4] in ("one_", "two_")
                values.append(value)
        found = [json.loads(value) for value in values]
        return sorted((each["name"], each["port"]) for each in found)

    async with running(holder_2 := holder_of(zookeeper, "h2", **more)):
        holder_2.want(wish(other))
        await until_state(holder_2, two="held")
        async with running(first := holder_of(zookeeper, ttl=60, **more)):
            first.want(wish(one))
            await eventually(lambda: there() == [("one", 8001), ("two", 8002)])
        async with running(second := holder_of(zookeeper, **more)):
            second.want(wish(one))
            told = await until_state(second, one="held")
            assert zookeeper.owner_of(told["one"].key) == identity(second)[0]
            assert there() == [("one", 8001), ("two", 8002)]
            second.want(wish(entry("one", 8003)))
            await eventually(lambda: there() == [("one", 8003), ("two", 8002)])
            await second.close(keep=False)
            assert there() == [("two", 8002)]
