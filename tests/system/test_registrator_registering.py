"""A registrar's hand in real registries, in registrator's manner: what stands there, whose it is, and when it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from longshore.config.registries import ConsulSource
from longshore.core.entries import Entry, Inside
from longshore.core.layouts import LAYOUTS, NODES
from longshore.registries.consul import ConsulHolder
from longshore.registries.consul_kv import ConsulKVHolder
from longshore.registries.consul_spelling import SPELLINGS
from longshore.registries.zookeeper import ZooKeeperHolder
from tests.lab import consul_hand, etcd_hand, zookeeper_hand
from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.etcd_hand import until_state, wish
from tests.lab.waiting import eventually
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
KV = {"layout": "consulkv", "prefix": "/services"}


def entry(container: str = "web.0", *, port: int = 32768, host: str = "h1", **more: Any) -> Entry:
    """An entry of a container of a host, as the registrar makes it of registrator's metadata."""
    labels = tuple(sorted({"region": "eu", **more.pop("attrs", {})}.items()))
    return Entry(
        "www",
        f"{host}:{container}:80",
        "127.0.0.1",
        port,
        name=container,
        labels=labels,
        tags=("b", "a"),
        owner=f"{host}.01",
        machine=host,
        inside=Inside("c" * 64, "c0ffee", 80),
        **more,
    )


@pytest.fixture(scope="module")
def agent(own_network: None) -> Iterator[Consul]:
    with Consul() as running:
        yield running


@pytest.fixture
def consul(agent: Consul) -> Consul:
    """An agent without services and keys."""
    for identity in agent.ask("GET", "agent/services"):
        agent.deregister(identity)
    agent.ask("DELETE", "kv/services", recurse="")
    return agent


def services(consul: Consul, cleanup: str = "") -> ConsulHolder:
    """A holder of services in registrator's manner."""
    found, spelling = consul_hand.settings(consul, layout="registrator"), SPELLINGS["registrator"]
    quick, pace = consul_hand.QUICK, consul_hand.PACE
    return ConsulHolder("consul", found, "h1.01", 30, spelling=spelling, cleanup=cleanup, patience=quick, pace=pace)


def keys(consul: Consul) -> ConsulKVHolder:
    """A holder of keys in Consul's store."""
    found = ConsulSource.model_validate({"address": consul.address(), **KV})
    return ConsulKVHolder(
        "consul", found, LAYOUTS["consulkv"], "h1.01", 10, patience=consul_hand.QUICK, pace=consul_hand.PACE
    )


def there(consul: Consul) -> dict[str, Any]:
    """The services of the agent."""
    found: dict[str, Any] = consul.ask("GET", "agent/services")
    return found


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 consul: services as registrator registers them, with checks")])
async def test_services_and_checks(consul: Consul, _: int) -> None:
    checked = entry(attrs={"check_tcp": "true", "check_interval": "1s", "check_initial_status": "critical"}, port=1)
    async with consul_hand.running(holder := services(consul)):
        holder.want(wish(checked))
        told = await consul_hand.until_state(holder, **{checked.id: "held"})
        assert told[checked.id].key == "h1:web.0:80"
        found = there(consul)["h1:web.0:80"]
        assert (found["Service"], found["Address"], found["Port"]) == ("www", "127.0.0.1", 1)
        assert (found["Tags"], found["Meta"]) == (["b", "a"], dict(checked.labels))
        checks = consul.ask("GET", "agent/checks")
        assert (checks["service:h1:web.0:80"]["Type"], checks["service:h1:web.0:80"]["Status"]) == ("tcp", "critical")
        assert checks["longshore:h1:web.0:80"]["Type"] == "ttl"
    await holder.close(keep=False)
    assert not there(consul)


async def test_what_an_earlier_run_left_is_adopted_or_removed(consul: Consul) -> None:
    stays, goes = entry(), entry("web.1")
    async with consul_hand.running(first := services(consul)):
        first.want(wish(stays, goes))
        await consul_hand.until_state(first, **{stays.id: "held", goes.id: "held"})
    async with consul_hand.running(second := services(consul)):
        second.want(wish(stays))
        await consul_hand.until_state(second, **{stays.id: "held"})
        await eventually(lambda: set(there(consul)) == {stays.id}, what="one is left")
    await second.close(keep=False)


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 -cleanup: what a registrator left of this host goes")])
async def test_what_a_registrator_left_is_taken_over_and_cleaned_up(consul: Consul, _: int) -> None:
    """The same id and service are taken over; others of this host go with -cleanup; nobody else's are touched."""
    consul.register("h1:web.0:80", "www", 31000, Tags=["old"])
    consul.register("h1:gone.0:80", "www", 31001)
    consul.register("h2:web.0:80", "www", 31002)
    consul.register("by-hand", "www", 31003)
    async with consul_hand.running(holder := services(consul)):
        holder.want(wish(entry()))
        await consul_hand.until_state(holder, **{entry().id: "held"})
        assert there(consul)["h1:web.0:80"]["Port"] == 32768
        assert set(there(consul)) == {"h1:web.0:80", "h1:gone.0:80", "h2:web.0:80", "by-hand"}
    async with consul_hand.running(holder := services(consul, cleanup="h1")):
        holder.want(wish(entry()))
        wanted = {"h1:web.0:80", "h2:web.0:80", "by-hand"}
        await eventually(lambda: set(there(consul)) == wanted, what="the dangling one is removed")
    await holder.close(keep=False)


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 CHECK_SCRIPT: an agent that runs none refuses this one alone")])
async def test_what_consul_refuses_is_said_of_that_entry_alone(consul: Consul, _: int) -> None:
    bad = entry("bad", attrs={"check_script": "true"})
    odd = entry("odd", attrs={"check_tcp": "1", "check_interval": "soon"})
    consul.register("web-1", "other", 31000)
    taken = replace(entry("x"), id="web-1")
    async with consul_hand.running(holder := services(consul)):
        holder.want(wish(entry(), bad, odd, taken))
        states = {entry().id: "held", bad.id: "refused", odd.id: "refused", taken.id: "refused"}
        told = await consul_hand.until_state(holder, **states)
        assert "runs no scripts: Scripts are disabled" in told[bad.id].error
        assert "does not take agent/service/register" in told[odd.id].error
        assert "that longshore did not register has the ID web-1" in told[taken.id].error
    await holder.close(keep=False)
    assert set(there(consul)) == {"web-1"}


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 consulkv: keys under a session")])
async def test_keys_go_with_their_session(consul: Consul, _: int) -> None:
    one, two = entry(), entry("web.1", port=32769)
    async with consul_hand.running(holder := keys(consul)):
        holder.want(wish(one, two))
        await consul_hand.until_state(holder, **{one.id: "held", two.id: "held"})
        assert consul.keys("services") == {
            "services/www/h1:web.0:80": "127.0.0.1:32768",
            "services/www/h1:web.1:80": "127.0.0.1:32769",
        }
        holder.want(wish(replace(one, port=40000)))
        wanted = {"services/www/h1:web.0:80": "127.0.0.1:40000"}
        await eventually(lambda: consul.keys("services") == wanted, what="one is changed, the other gone")
        session = consul.ask("GET", "session/list")[0]
        assert (session["Behavior"], session["TTL"]) == ("delete", "10s")
    async with consul_hand.running(again := keys(consul)):
        again.want(wish(replace(one, port=40000)))
        await consul_hand.until_state(again, **{one.id: "held"})
        assert [each["ID"] for each in consul.ask("GET", "session/list")] == [session["ID"]]  # adopted
        consul.ask("PUT", f"session/destroy/{session['ID']}")
        await eventually(lambda: consul.ask("GET", "session/list"), what="another session is made")
        await eventually(lambda: consul.keys("services") == wanted, what="it is written again")
    await again.close(keep=False)
    assert consul.keys("services") == {}
    assert consul.ask("GET", "session/list") == []


async def test_keys_of_a_registrar_that_died_go_by_themselves(consul: Consul) -> None:
    async with consul_hand.running(holder := keys(consul)):
        holder.want(wish(entry()))
        await consul_hand.until_state(holder, **{entry().id: "held"})
    await eventually(lambda: consul.keys("services") == {}, deadline=60, what="the session runs out")


async def test_a_key_of_a_registrator_is_taken_over_and_one_of_another_session_is_not(consul: Consul) -> None:
    consul.put("services/www/h1:web.0:80", "127.0.0.1:1")
    session = consul.ask("PUT", "session/create", {"TTL": "60s"})["ID"]
    assert consul.ask("PUT", "kv/services/www/h1:web.1:80", b"127.0.0.1:2", acquire=session) is True
    one, two = entry(), entry("web.1")
    async with consul_hand.running(holder := keys(consul)):
        holder.want(wish(one, two))
        told = await consul_hand.until_state(holder, **{one.id: "held", two.id: "refused"})
        assert told[two.id].error == "another session holds services/www/h1:web.1:80"
    await holder.close(keep=False)
    assert consul.keys("services") == {"services/www/h1:web.1:80": "127.0.0.1:2"}
    consul.ask("PUT", f"session/destroy/{session}")


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 zookeeper: ephemeral nodes by address")])
async def test_nodes_are_ephemeral_and_named_by_their_address(own_network: None, _: int) -> None:
    with ZooKeeper() as zookeeper:
        found = zookeeper_hand.settings(zookeeper, layout="registrator", prefix="/base")

        def holder_of() -> ZooKeeperHolder:
            return ZooKeeperHolder("zookeeper", found, NODES, "h1.01", 20, pace=zookeeper_hand.PACE)

        assert NODES.write
        path, value = NODES.write("/base", entry())
        async with zookeeper_hand.running(holder := holder_of()):
            holder.want(wish(entry()))
            await zookeeper_hand.until_state(holder, **{entry().id: "held"})
            assert zookeeper.nodes("/base") == {path: value}
        async with zookeeper_hand.running(again := holder_of()):
            again.want(wish(entry(), entry("web.1", port=32769)))
            await zookeeper_hand.until_state(again, **{entry().id: "held", entry("web.1").id: "held"})
            assert set(zookeeper.nodes("/base")) == {path, "/base/www/127.0.0.1:32769"}
            await again.close(keep=False)
        assert not [each for each in zookeeper.nodes("/base") if ":" in each]


@pytest.mark.parametrize("_", [pytest.param(0, id="A5 etcd: TTL; keys without one are taken over")])
async def test_keys_of_a_registrator_in_etcd_are_taken_over(own_network: None, _: int) -> None:
    with Etcd() as etcd:
        etcd.put("/longshore/services/www/h1:web.0:80", "127.0.0.1:1")
        etcd.put("/longshore/services/www/web-9", "127.0.0.1:9")
        stranger = replace(entry("x", port=10), id="web-9")
        async with etcd_hand.running(holder := etcd_hand.holder_of(etcd, "h1.01", layout="registrator")):
            holder.want(wish(entry(), stranger))
            told = await until_state(holder, **{entry().id: "held", "web-9": "refused"})
            assert "another stands at /longshore/services/www/web-9" in told["web-9"].error
            assert etcd.keys()["/longshore/services/www/h1:web.0:80"] == "127.0.0.1:32768"
        await holder.close(keep=False)
        assert etcd.keys() == {"/longshore/services/www/web-9": "127.0.0.1:9"}
