"""What the source `zookeeper` sees in a real server: everything below its prefix, and every change of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from kazoo.security import make_acl, make_digest_acl

from longshore.core.entries import Broken, Entry
from longshore.core.layouts import layout_of
from longshore.registries.zookeeper import ZooKeeperHolder
from longshore.sources.zookeeper import Pace, ZooKeeperAdapter
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import PREFIX, Sight, watching
from tests.lab.waiting import eventually
from tests.lab.zookeeper import ZooKeeper
from tests.lab.zookeeper_hand import holder_of, running, settings, until_state

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


@contextlib.asynccontextmanager
async def seeing(zookeeper: ZooKeeper, roots: Sequence[str] = (), **more: Any) -> AsyncIterator[Sight]:
    """What an adapter tells of this server, from its first listing on."""
    adapter = ZooKeeperAdapter(settings(zookeeper, **more), roots, Pace(session=4, again=0.2))
    async with watching(adapter) as sight:
        await eventually(lambda: sight.listings)
        yield sight


async def test_a_prefix_that_is_made_and_removed_and_made_again(zookeeper: ZooKeeper) -> None:
    async with seeing(zookeeper) as sight:
        await sight.until()
        zookeeper.put(f"{PREFIX}/web/one", "1")
        await sight.until(web__one="1")
        zookeeper.delete("/longshore")
        await sight.until()
        zookeeper.put(f"{PREFIX}/web/one", "2")
        zookeeper.put(f"{PREFIX}/api/two", "3")
        await sight.until(web__one="2", api__two="3")
        assert (sight.listings, sight.faults) == (1, [])


async def test_every_change_in_many_services_under_one_prefix(zookeeper: ZooKeeper) -> None:
    wanted = {f"s{service}/e{number}": f"{number}" for service in range(40) for number in range(5)}
    for key, value in wanted.items():
        zookeeper.put(f"{PREFIX}/{key}", value, ephemeral=True)

    async with seeing(zookeeper) as sight:

        async def until_seen() -> None:
            there = {f"{PREFIX}/{key}": value.encode() for key, value in wanted.items()}
            await eventually(lambda: sight.seen == there)

        await until_seen()
        for number in range(40):  # each service changes in another way, all of it at once
            zookeeper.put(f"{PREFIX}/s{number}/new", "new", ephemeral=True)
            zookeeper.put(f"{PREFIX}/s{number}/e1", "changed")
            zookeeper.delete(f"{PREFIX}/s{number}/e2")
            zookeeper.delete(f"{PREFIX}/s{number}/e3")
            zookeeper.put(f"{PREFIX}/s{number}/e3", "another", ephemeral=True)
            wanted |= {f"s{number}/new": "new", f"s{number}/e1": "changed", f"s{number}/e3": "another"}
            del wanted[f"s{number}/e2"]
        await until_seen()
        assert (sight.listings, sight.faults) == (1, [])


async def test_one_change_asks_the_server_for_little_however_much_stands_there(zookeeper: ZooKeeper) -> None:
    def received() -> int:
        line = next(line for line in zookeeper.ask(0, "mntr").splitlines() if line.startswith("zk_packets_received\t"))
        return int(line.split("\t")[1])

    for number in range(200):
        zookeeper.put(f"{PREFIX}/s{number % 20}/e{number}", "x", ephemeral=True)
    async with seeing(zookeeper) as sight:
        await eventually(lambda: len(sight.seen) == 200)
        before = received()
        zookeeper.put(f"{PREFIX}/s7/new", "x", ephemeral=True)
        await eventually(lambda: len(sight.seen) == 201)
        assert received() - before < 20  # two for the change, the lab's own, and signs of life


async def test_an_entry_that_moves_to_another_session_is_never_away(zookeeper: ZooKeeper) -> None:
    """As with an upgrade of the registrar."""
    one, two = entry("one"), entry("two")
    async with seeing(zookeeper) as sight:

        async def follow(run: ZooKeeperHolder) -> None:
            run.want(wish(one, two))
            told = await until_state(run, one="held", two="held")
            await eventually(lambda: set(sight.seen) == {lease.key for lease in told.values()})

        async with running(holder := holder_of(zookeeper)):
            await follow(holder)
        sight.least = 2
        for _ in range(3):
            async with running(holder := holder_of(zookeeper)):
                await follow(holder)
        assert sight.least == 2


@pytest.mark.parametrize("layout", ["native", "nerve", "serverset", "registrator"])
async def test_every_layout_is_found_where_its_writers_put_it(zookeeper: ZooKeeper, layout: str) -> None:
    payload = '{"host":"10.0.0.5","port":8000,"name":"h5"}'
    member = '{"serviceEndpoint":{"host":"10.0.0.5","port":8000},"additionalEndpoints":{},"status":"ALIVE","shard":1}'
    written = {
        "native": {"web/one_": payload},
        "nerve": {
            "web/services/h5_": payload,
            "web/services/base64_60_eyJob3N0IjoiMTAuMC4wLjYiLCJwb3J0Ijo4MDAwLCJuYW1lIjoiaDYifQ==_": "",
        },
        "serverset": {"web/member_": member},
        "registrator": {"web/10.0.0.5:8000": '{"Name":"web","IP":"10.0.0.5","PublicPort":8000,"PrivatePort":80}'},
    }[layout]
    for key, value in written.items():
        zookeeper.put(f"{PREFIX}/{key}", value, ephemeral=True, sequence=key.endswith("_"))
    read = layout_of(layout).read
    async with seeing(zookeeper, layout=layout) as sight:

        def entries() -> list[tuple[str, str, int]]:
            values = {key: value for key, value in sight.seen.items() if isinstance(value, bytes)}
            found = [read(PREFIX, key, value) for key, value in values.items()]
            return sorted((each.service, each.host, each.port) for each in found if isinstance(each, Entry))

        wanted = [("web", "10.0.0.5", 8000)] + ([("web", "10.0.0.6", 8000)] if layout == "nerve" else [])
        await eventually(lambda: entries() == wanted)


async def test_paths_named_one_by_one(zookeeper: ZooKeeper) -> None:
    roots = [f"{PREFIX}/web/services", f"{PREFIX}/api", f"{PREFIX}/api/below", f"{PREFIX}/late"]
    zookeeper.put(f"{PREFIX}/web/services/one", "1")
    zookeeper.put(f"{PREFIX}/api/two", "2")
    zookeeper.put(f"{PREFIX}/other/three", "3")
    async with seeing(zookeeper, roots) as sight:
        await sight.until(web__services__one="1", api__two="2")
        zookeeper.put(f"{PREFIX}/late/four", "4")
        zookeeper.put(f"{PREFIX}/api/below/five", "5")
        zookeeper.delete(f"{PREFIX}/web/services/one")
        await sight.until(late__four="4", api__below__five="5", api__two="2")


async def test_a_node_that_we_may_not_read_is_said_and_harms_no_other(zookeeper: ZooKeeper) -> None:
    zookeeper.put(f"{PREFIX}/web/one", "1")
    zookeeper.put(f"{PREFIX}/web/secret", "2")
    zookeeper.put(f"{PREFIX}/vault/three", "3")
    closed = [make_digest_acl("somebody", "else", all=True), make_acl("ip", "127.0.0.2", all=True)]
    open_again = [make_acl("world", "anyone", all=True)]
    zookeeper.client.add_auth("digest", "somebody:else")
    for path in (f"{PREFIX}/web/secret", f"{PREFIX}/vault"):
        zookeeper.client.set_acls(path, closed)
    async with seeing(zookeeper) as sight:
        secret, vault = sight.seen[f"{PREFIX}/web/secret"], sight.seen[f"{PREFIX}/vault"]
        assert isinstance(secret, Broken)
        assert isinstance(vault, Broken)
        assert secret.what == f"ZooKeeper does not allow to read {PREFIX}/web/secret"
        assert "auth-file" in secret.hint
        zookeeper.put(f"{PREFIX}/web/four", "4")
        await eventually(lambda: sight.seen.get(f"{PREFIX}/web/four") == b"4")
        for path in (f"{PREFIX}/web/secret", f"{PREFIX}/vault"):
            zookeeper.client.set_acls(path, open_again)
        await sight.until(web__one="1", web__secret="2", web__four="4", vault__three="3")
        assert not sight.faults


async def test_large_values_and_odd_names(zookeeper: ZooKeeper) -> None:
    large = "x" * 900_000
    zookeeper.put(f"{PREFIX}/web/large", large)
    zookeeper.put(f"{PREFIX}/web/ünï☃", "snow")
    zookeeper.put(f"{PREFIX}/web/empty", "")
    async with seeing(zookeeper) as sight:
        await sight.until(web__large=large, web__empty="", **{"web__ünï☃": "snow"})


async def test_a_server_that_restarts_is_stale_and_never_empty(zookeeper: ZooKeeper) -> None:
    zookeeper.put(f"{PREFIX}/web/one", "1")
    zookeeper.put(f"{PREFIX}/web/two", "2")
    async with seeing(zookeeper) as sight:
        await sight.until(web__one="1", web__two="2")
        zookeeper.kill(0)
        await eventually(lambda: len(sight.faults) > 1)
        assert "lost the connection" in str(sight.faults[0])
        assert "connection refused" in str(sight.faults[1])
        assert len(sight.seen) == 2
        zookeeper.start(0)
        zookeeper.delete(f"{PREFIX}/web/two")
        await sight.until(web__one="1")
        assert sight.least == 1
