"""The source `consul` against a real one: nothing is missed, in any layout, by any way to the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.clients.consul import Patience
from longshore.core.entries import Entry
from longshore.sources.consul import ConsulAdapter
from tests.lab.consul import Consul
from tests.lab.consul_hand import QUICK, holder_of, running, settings, until_state
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import Sight, watching
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system
SHORT = Patience(answer=9.0, hold=1.0, quiet=0.5)  # time runs out often while nothing changes


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[Consul]:
    with Consul() as agent:
        yield agent


@pytest.fixture
def consul(shared: Consul) -> Consul:
    """An agent without services and keys."""
    for identity in shared.ask("GET", "agent/services"):
        shared.deregister(identity)
    shared.ask("DELETE", "kv/", recurse="")
    return shared


async def until_seen(sight: Sight, **there: str) -> None:
    """Wait until these entries are seen, by the name of the service and the status."""
    wanted = {f"dc1/n0/{key}": status for key, status in there.items()}
    await eventually(
        lambda: {key: value.status for key, value in sight.seen.items() if isinstance(value, Entry)} == wanted,
        what=f"{wanted} are seen",
    )


async def test_what_registrars_hold_is_seen_and_every_change_after_it(consul: Consul) -> None:
    one, two = entry("one"), entry("two")
    consul.register("db", "db", 5432, Tags=["longshore"], Check={"TTL": "60s", "Status": "passing"})
    async with running(holder := holder_of(consul)):
        holder.want(wish(one))
        await until_state(holder, one="held")
        async with watching(ConsulAdapter(settings(consul), patience=SHORT)) as sight:
            await eventually(lambda: set(sight.seen) == {"n0/web/one"})
            holder.want(wish(one, two))
            await eventually(lambda: set(sight.seen) == {"n0/web/one", "n0/web/two"})
            holder.want(wish(entry("two", 9000)))
            await eventually(lambda: [getattr(value, "port", 0) for value in sight.seen.values()] == [9000])
            assert sight.listings == 1
            assert not sight.faults


async def until_status(sight: Sight, status: str) -> None:
    """Wait until the one entry is seen like this."""
    await eventually(lambda: [getattr(value, "status", "") for value in sight.seen.values()] == [status], what=status)


async def test_what_is_withdrawn_says_so_before_it_goes(consul: Consul) -> None:
    """It may be wanted again in the meantime; and what goes with its registrar says so too."""
    holder = holder_of(consul)
    async with watching(ConsulAdapter(settings(consul))) as sight:
        async with running(holder):
            holder.want(wish(entry("one")))
            await until_status(sight, "passing")
            holder.want({})
            await until_status(sight, "leaving")
            holder.want(wish(entry("one")))
            await until_status(sight, "passing")
            await until_state(holder, one="held")
        end = asyncio.create_task(holder.close(keep=False))
        await until_status(sight, "leaving")
        await end
        await eventually(lambda: not sight.seen)


async def test_an_entry_whose_ttl_ran_out_is_gone_long_before_consul_removes_it(consul: Consul) -> None:
    async with watching(ConsulAdapter(settings(consul))) as sight:
        async with running(holder := holder_of(consul, ttl=2)):
            holder.want(wish(entry("one")))
            await eventually(lambda: set(sight.seen) == {"n0/web/one"})
        await eventually(lambda: not sight.seen)
        assert "web/one" in consul.ask("GET", "agent/services")


async def test_every_service_of_the_catalog_with_its_health(consul: Consul) -> None:
    consul.register("h1:web-1:80", "web", 8001, Tags=["blue"], Meta={"longshore_host": "a.test"})
    async with watching(ConsulAdapter(settings(consul, layout="registrator"), patience=SHORT)) as sight:
        await until_seen(sight, **{"h1:web-1:80": "passing"})
        check = {"CheckID": "own", "TTL": "60s", "Status": "passing"}
        consul.register("h1:web-2:80", "web", 8002, Check=check)
        consul.register("h1:api:80", "api", 8003)
        await until_seen(sight, **{"h1:web-1:80": "passing", "h1:web-2:80": "passing", "h1:api:80": "passing"})
        consul.ask("PUT", "agent/check/fail/own")
        await until_seen(sight, **{"h1:web-1:80": "passing", "h1:web-2:80": "critical", "h1:api:80": "passing"})
        consul.deregister("h1:api:80")
        consul.deregister("h1:web-2:80")
        await until_seen(sight, **{"h1:web-1:80": "passing"})
        (only,) = sight.seen.values()
        assert isinstance(only, Entry)
        assert (only.host, only.port, only.tags, only.datacenter) == ("127.0.0.1", 8001, ("blue",), "dc1")
        assert only.labels == (("longshore.host", "a.test"),)
        assert sight.listings == 1
        assert not sight.faults


async def test_an_instance_more_without_any_check_is_seen(consul: Consul) -> None:
    """The list of services looks the same before and after."""
    consul.register("w1", "web", 8001)
    async with watching(ConsulAdapter(settings(consul, layout="registrator"))) as sight:
        await until_seen(sight, w1="passing")
        consul.register("w2", "web", 8002)
        await until_seen(sight, w1="passing", w2="passing")
        consul.register("w2", "web", 8003)
        await eventually(lambda: getattr(sight.seen["dc1/n0/w2"], "port", 0) == 8003)


async def test_keys_are_seen_and_huge_values_too(consul: Consul) -> None:
    consul.put("longshore/services-not/web/1", "a neighbour whose name starts the same")
    async with watching(ConsulAdapter(settings(consul, layout="consulkv"), patience=SHORT)) as sight:
        await eventually(lambda: sight.listings)
        assert not sight.seen
        consul.put("longshore/services/web/1", "10.0.0.5:80")
        consul.put("longshore/services/web/ünï", b"\xff\x00" * 250_000)
        wanted = {"longshore/services/web/1": b"10.0.0.5:80", "longshore/services/web/ünï": b"\xff\x00" * 250_000}
        await eventually(lambda: sight.seen == wanted)
        consul.delete("longshore/services/web/1")
        consul.delete("longshore/services/web/ünï")
        await eventually(lambda: not sight.seen)
        consul.put("longshore/services/web/2", "10.0.0.5:81")
        await eventually(lambda: set(sight.seen) == {"longshore/services/web/2"})
        assert not sight.faults


async def test_a_snapshot_that_is_restored_turns_the_index_back(consul: Consul) -> None:
    consul.put("longshore/services/web/1", "10.0.0.5:80")
    async with watching(ConsulAdapter(settings(consul, layout="consulkv"), patience=SHORT)) as sight:
        await eventually(lambda: set(sight.seen) == {"longshore/services/web/1"})
        saved = consul.raw("GET", "snapshot")
        for number in range(30):
            consul.put("longshore/services/web/2", f"10.0.0.5:{number + 100}")
        await eventually(lambda: len(sight.seen) == 2)
        consul.raw("PUT", "snapshot", saved)
        await eventually(lambda: set(sight.seen) == {"longshore/services/web/1"})
        consul.put("longshore/services/web/3", "10.0.0.5:83")
        await eventually(lambda: len(sight.seen) == 2)


async def test_a_unix_socket_will_do(consul: Consul) -> None:
    section = settings(consul, address=consul.socket())
    async with running(holder := holder_of(consul, address=consul.socket())):
        holder.want(wish(entry("one")))
        async with watching(ConsulAdapter(section)) as sight:
            await eventually(lambda: set(sight.seen) == {"n0/web/one"})


async def test_tokens_that_are_missing_wrong_or_have_too_few_rights_are_told(own_network: None, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with Consul(acl=True) as consul:
        consul.register("w1", "web", 8001)
        async with watching(ConsulAdapter(settings(consul), patience=QUICK)) as sight:
            await sight.until_fault("shows no nodes (it may want a token: set token-file")
        file.write_text("8b1f4ae2-1111-4000-8000-000000000000")
        section = settings(consul, layout="registrator", token_file=file)
        async with watching(ConsulAdapter(section, patience=QUICK)) as sight:
            await sight.until_fault("does not know the token")
            file.write_text(consul.token('node_prefix "" { policy = "read" } service_prefix "" { policy = "read" }'))
            await until_seen(sight, w1="passing")  # the file is read again
        async with running(holder := holder_of(consul, token_file=file)):
            holder.want(wish(entry("one")))
            told = await until_state(holder, one="refused")
            assert "does not permit agent/service/register" in told["one"].error
            assert 'service_prefix "" { policy = "write" }' in told["one"].error
            file.write_text(consul.token('node_prefix "" { policy = "read" } service_prefix "" { policy = "write" }'))
            await until_state(holder, one="held")
            async with watching(ConsulAdapter(settings(consul, token_file=file))) as sight:
                await eventually(lambda: set(sight.seen) == {"n0/web/one"})
        key = settings(consul, token_file=file, layout="consulkv")
        async with watching(ConsulAdapter(key)) as sight:
            await sight.until_fault('key_prefix "longshore/services/"')


async def test_tls_with_certificates_of_both_sides(own_network: None, tmp_path: Path) -> None:
    with Consul(tls="mutual") as consul:
        async with running(holder := holder_of(consul)):
            holder.want(wish(entry("one")))
            await until_state(holder, one="held")
        ways: list[tuple[dict[str, Any], str]] = [
            ({"tls": {"ca": str(consul.authority.ca)}}, "client certificate"),
            ({"tls": {}}, "the certificate of Consul at"),
            ({"address": consul.address().replace("https", "http"), "tls": None}, "wants TLS"),
        ]
        for wrong, said in ways:
            async with watching(ConsulAdapter(settings(consul, **wrong))) as sight:
                await sight.until_fault(said)


async def test_a_certificate_that_has_expired_is_told(own_network: None) -> None:
    with Consul(tls="server", days=0) as consul:
        async with watching(ConsulAdapter(settings(consul))) as sight:
            await sight.until_fault("certificate has expired")
