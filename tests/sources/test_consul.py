"""The source `consul` against an agent that says odd things: what is believed, what is told, what is asked for."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from longshore.config.registries import ConsulSource
from longshore.core.entries import Broken, Entry
from longshore.core.layouts.consul import LEAVING, registration
from longshore.sources.consul import ConsulAdapter
from tests.clients.fake_consul import QUICK, FakeConsul, Play, listed
from tests.lab.etcd_sight import Sight, watching
from tests.lab.waiting import eventually

CHECKS, SERVICES = "health/state/any", "catalog/services"
Row = dict[str, Any]


@pytest.fixture
async def fake() -> AsyncIterator[FakeConsul]:
    async with FakeConsul().serving() as consul:
        yield consul


def adapter_of(fake: FakeConsul, layout: str = "native", names: tuple[str, ...] = (), **more: Any) -> ConsulAdapter:
    source = ConsulSource.model_validate({"address": fake.address, "layout": layout} | more)
    return ConsulAdapter(source, names, QUICK, grace=0.3)


def node(name: str = "n1", status: str = "passing", check: str = "serfHealth") -> Row:
    """The row of a check of a node."""
    return {"Node": name, "CheckID": check, "Status": status, "Notes": "", "ServiceID": "", "ServiceName": ""}


def kept(identity: str, status: str = "passing", at: str = "n1", port: int = 80) -> Row:
    """The row of a check that keeps an entry."""
    check = registration(Entry("web", identity, "10.0.0.5", port, owner="h1"), 10)["Check"]
    named = {key: check[key] for key in ("CheckID", "Name", "Notes")}
    return {"Node": at, **named, "Status": status, "ServiceID": f"web/{identity}", "ServiceName": "web"}


def other(identity: str, status: str, at: str = "n1") -> Row:
    """The row of another check of the same service."""
    return kept(identity, status, at) | {"CheckID": "own", "Name": "own", "Notes": ""}


def statuses(sight: Sight) -> dict[str, str]:
    return {key: value.status for key, value in sight.seen.items() if isinstance(value, Entry)}


async def until_seen(sight: Sight, **there: str) -> None:
    """Wait until these entries are seen with these statuses."""
    wanted = {f"n1/web/{key}": status for key, status in there.items()}
    await eventually(lambda: statuses(sight) == wanted, what=f"{wanted} are seen")


async def until_fault(sight: Sight, what: str) -> None:
    await eventually(lambda: sight.faults and what in sight.faults[0].what, what=what)


async def test_entries_are_those_whose_checks_pass(fake: FakeConsul) -> None:
    """Critical means that nobody renews it; so does a node that is away. Other checks only keep the traffic away."""
    rows = [
        node(),
        node("n2", "critical"),
        kept("good"),
        kept("warned", "warning"),
        kept("out", "critical"),
        kept("away", at="n2"),
        kept("ill"),
        other("ill", "critical"),
    ]
    fake.play(CHECKS, listed(rows), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, good="passing", warned="passing", ill="critical")
        assert sight.listings == 1
    assert fake.asked[0][1]["filter"] == 'ServiceID == "" or "longshore" in ServiceTags'


async def test_what_its_registrar_withdraws_says_so_before_it_goes(fake: FakeConsul) -> None:
    """So that nobody doubts it, whatever else is said of it."""
    going = kept("one", "critical") | {"Output": LEAVING}
    fake.play(CHECKS, listed([node(), kept("one")]), listed([node(), going, other("one", "critical")], 8), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, one="leaving")


async def test_a_node_in_maintenance_gets_no_traffic(fake: FakeConsul) -> None:
    rows = [node(), node(check="_node_maintenance", status="critical"), kept("one")]
    fake.play(CHECKS, listed(rows), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, one="critical")


async def test_what_changes_is_told_and_nothing_else(fake: FakeConsul) -> None:
    later = [node(), kept("one"), kept("two", port=81)]
    fake.play(CHECKS, listed([node(), kept("one"), kept("two")], 7), listed(later, 8), listed(later[:2], 9), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, one="passing")
        assert sight.listings == 1
        assert sight.least == 1


async def test_to_a_token_without_rights_everything_looks_empty(fake: FakeConsul, tmp_path: Any) -> None:
    """Consul leaves out what a token may not read, so a cluster without nodes is no cluster without services."""
    fake.play(CHECKS, listed([node(), kept("one")]), listed([], 8))
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, one="passing")
        await eventually(lambda: sight.faults)
        assert sight.faults[0].what == f"Consul at {fake.address} shows no nodes"
        assert "set token-file" in sight.faults[0].hint
        assert 'node_prefix "" { policy = "read" }' in sight.faults[0].hint
        assert statuses(sight) == {"n1/web/one": "passing"}


async def test_after_an_outage_what_looks_dead_is_believed_to_live_for_a_while(fake: FakeConsul) -> None:
    """What was removed is gone all the same, and what never was well is not believed in."""
    before = [node(), kept("out"), kept("ill"), kept("gone")]
    after = [node(), kept("out", "critical"), kept("ill"), other("ill", "critical"), kept("new", "critical")]
    broken = web.Response(status=500, text="No cluster leader")
    fake.play(CHECKS, listed(before), broken, listed(after, 9), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await eventually(lambda: sight.listings == 2)
        assert statuses(sight) == {"n1/web/out": "passing", "n1/web/ill": "passing"}
        await until_seen(sight, ill="critical")
        assert sight.listings == 2


async def test_a_broken_entry_harms_no_other(fake: FakeConsul) -> None:
    rows = [node(), kept("one"), kept("by-hand") | {"Notes": "rubbish"}, kept("large") | {"Notes": "x" * 300_000}]
    fake.play(CHECKS, listed(rows), fake.hang)
    async with watching(adapter_of(fake)) as sight:
        await until_seen(sight, one="passing")
        broken = {key: value.what for key, value in sight.seen.items() if isinstance(value, Broken)}
        assert broken["n1/web/by-hand"] == 'is not JSON: "rubbish"'
        assert "300,000 bytes large" in broken["n1/web/large"]


@pytest.mark.parametrize("body", ["null", '[{"Node":', "{}", "[1]"])
async def test_what_is_no_answer_of_consul_is_a_fault(fake: FakeConsul, body: str) -> None:
    for layout in ("native", "registrator"):
        fake.play(CHECKS, listed([node(), kept("one")]), listed(body, 8))
        async with watching(adapter_of(fake, layout)) as sight:
            await until_fault(sight, "is not Consul")


def pair(key: str, value: bytes | None) -> Row:
    """The row of a key."""
    return {"LockIndex": 0, "Key": key, "Flags": 0, "Value": b64encode(value).decode() if value is not None else None}


async def test_keys_are_given_as_they_stand_there(fake: FakeConsul) -> None:
    path = "kv/longshore/services/"
    fake.play(
        path, listed([]), listed([pair("longshore/services/web/", None), pair("longshore/services/web/1", b"a:1")])
    )
    async with watching(adapter_of(fake, "consulkv")) as sight:
        await eventually(lambda: sight.seen)
        assert sight.seen == {"longshore/services/web/": b"", "longshore/services/web/1": b"a:1"}
    assert [query.get("recurse") for asked, query in fake.asked if asked == path][:2] == [None, "true"]


async def test_keys_that_may_not_be_read_are_said(fake: FakeConsul) -> None:
    fake.play("kv/longshore/services/", web.Response(status=403, text="Permission denied"))
    async with watching(adapter_of(fake, "consulkv")) as sight:
        await eventually(lambda: sight.faults)
        assert 'key_prefix "longshore/services/" { policy = "read" }' in sight.faults[0].hint


def instance(identity: str, name: str = "web", at: str = "n1", alive: str = "passing", port: int = 80) -> Row:
    """The row of an instance of a service that others registered."""
    return {
        "Node": {"Node": at, "Address": "10.0.0.1", "Datacenter": "dc1"},
        "Service": {"ID": identity, "Service": name, "Port": port},
        "Checks": [{"CheckID": "serfHealth", "Status": alive}],
    }


class Catalog:
    """What a fake catalog holds. Each change moves the index of the services or of the checks, never of both."""

    def __init__(self, fake: FakeConsul) -> None:
        self.fake = fake
        self.services: dict[str, list[Row]] = {}
        self.checks = [node(), node("n2")]
        self.at = {SERVICES: 5, CHECKS: 5}
        fake.play(SERVICES, self._held(SERVICES, lambda: {name: [] for name in self.services}))
        fake.play(CHECKS, self._held(CHECKS, lambda: self.checks))

    def put(self, name: str, *rows: Row) -> None:
        self.services[name] = list(rows)
        self.fake.play(f"health/service/{name}", lambda _: listed(self.services[name]))

    def reads(self) -> list[str]:
        """Give the services that were read since the last call."""
        found = [path.removeprefix("health/service/") for path, _ in self.fake.asked if path.startswith("health/serv")]
        self.fake.asked.clear()
        return sorted(found)

    def _held(self, path: str, content: Any) -> Play:
        async def play(request: web.Request) -> web.StreamResponse:
            if request.query.get("index") == str(self.at[path]):
                with contextlib.suppress(AssertionError):  # the time is over
                    await eventually(lambda: request.query["index"] != str(self.at[path]), 0.2, every=0.005)
            return listed(content(), self.at[path])

        return play


async def test_a_catalog_is_read_anew_only_where_a_check_is_another(fake: FakeConsul) -> None:
    """A change among the services says not which: all are read. One of a check, or of a node, says it."""
    catalog = Catalog(fake)
    catalog.put("api", instance("a", "api"))
    catalog.put("web", instance("w", at="n2"))
    catalog.put("consul", instance("consul", "consul", port=8300))
    async with watching(adapter_of(fake, "registrator")) as sight:
        await eventually(lambda: set(sight.seen) == {"dc1/n1/a", "dc1/n2/w"})
        assert catalog.reads() == ["api", "web"]
        catalog.put("web", instance("w", at="n2"), instance("w2", at="n2"))
        catalog.at[SERVICES] += 1
        await eventually(lambda: set(sight.seen) == {"dc1/n1/a", "dc1/n2/w", "dc1/n2/w2"})
        assert catalog.reads() == ["api", "web"]
        catalog.put("web", instance("w", at="n2", alive="critical"))
        catalog.checks = [node(), node("n2", "critical")]
        catalog.at[CHECKS] += 1
        await eventually(lambda: set(sight.seen) == {"dc1/n1/a"})
        assert catalog.reads() == ["web"]
        del catalog.services["api"]
        catalog.at[SERVICES] += 1
        await eventually(lambda: not sight.seen)
        assert sight.listings == 1


async def test_only_what_is_picked_or_tagged_is_read(fake: FakeConsul) -> None:
    catalog = Catalog(fake)
    catalog.put("api", instance("a", "api"))
    catalog.put("web", instance("w"))
    async with watching(adapter_of(fake, "registrator", ("web",))) as sight:
        await eventually(lambda: set(sight.seen) == {"dc1/n1/w"})
    assert catalog.reads() == ["web"]
    fake.play(SERVICES, listed({"api": ["blue", "v1"], "web": ["v1"]}), fake.hang)
    async with watching(adapter_of(fake, "registrator", tags=["blue"])) as sight:
        await eventually(lambda: set(sight.seen) == {"dc1/n1/a"})
    assert catalog.reads() == ["api"]


async def test_a_service_that_cannot_be_asked_for_harms_no_other(fake: FakeConsul) -> None:
    catalog = Catalog(fake)
    catalog.put("web", instance("w"))
    catalog.services["../odd"] = []
    async with watching(adapter_of(fake, "registrator")) as sight:
        await eventually(lambda: "dc1/n1/w" in sight.seen)
        assert sight.seen["../odd"] == Broken("../odd", "cannot be asked for", "give the service another name")


async def test_many_services_are_read_a_few_at_a_time(fake: FakeConsul) -> None:
    catalog = Catalog(fake)
    running = most = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)  # long enough for others to be asked for meanwhile
        running -= 1
        return listed(catalog.services[request.match_info["path"].rpartition("/")[2]])

    for number in range(50):
        catalog.put(f"s{number}", instance(f"i{number}", f"s{number}"))
        fake.play(f"health/service/s{number}", answer)
    async with watching(adapter_of(fake, "registrator")) as sight:
        await eventually(lambda: len(sight.seen) == 50)
    assert 1 < most <= 8
