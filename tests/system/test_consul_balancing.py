"""Containers, a registrar, Consul and a balancer, all real: every request is counted while everything fails in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab.balancer import Balancer
from tests.lab.consul import Consul
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.registrar import Registrar
from tests.lab.web import Web

pytestmark = pytest.mark.system
LABELS = {"longshore.service": "web", "longshore.host": "a.test", "longshore.check-interval": "200ms"}
PORT = ("-p", "8000")


@pytest.fixture
def three(own_network: None) -> Iterator[Consul]:
    """Three servers, and the agent of a host, which is number 3."""
    with Consul(size=3, clients=1) as cluster:
        yield cluster


def ids(b: Balancer) -> set[str]:
    """The endpoints that get traffic."""
    return {endpoint["id"] for endpoint in b.service("web")["endpoints"] if endpoint["state"] == "up"}


@oldest_and_newest
def test_no_request_is_lost_whatever_happens_to_consul(
    three: Consul, engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """Containers come and go; the leader dies; the quorum is lost until every TTL has run out, and comes back."""
    source = {"address": three.address(3)}
    with Registrar(engine=engine, sources={"consul": source}, register={"ttl": "5s"}) as registrar:
        first, second = (engine.run(labels=LABELS, args=PORT) for _ in range(2))
        registrar.until_held("web", 2)
        b = balance(series=series, config={"sources": {"consul": source}})
        b.until_up("web", 2)
        with Load(port=b.port, host="a.test", rate=40) as load:
            load.more(10)
            third = engine.run(labels=LABELS, args=PORT)
            b.until_up("web", 3)
            first.stop()
            b.until_up("web", 2)
            leader = three.leader()
            three.kill(leader)
            fourth = engine.run(labels=LABELS, args=PORT)
            b.until_up("web", 3)
            third.stop()
            b.until_up("web", 2)
            other = three.leader()
            three.kill(other)
            b.until(lambda status: status["sources"][0]["state"] == "stale", "the source is stale")
            fifth = engine.run(labels=LABELS, args=PORT)
            registrar.until(
                lambda status: any(lease["state"] == "lost" for lease in status["registrar"]["leases"]),
                "a TTL has run out",
            )
            load.more(10)
            assert ids(b) == {f"{each.short}:8000" for each in (second, fourth)}
            for member in (leader, other):
                three.start(member, wait=False)
            b.until_up("web", 3)
            registrar.until_held("web", 3)
            load.more(20)
        assert load.report.lost == 0, load.report
        assert ids(b) == {f"{each.short}:8000" for each in (second, fourth, fifth)}
        assert not b.status()["problems"]


def test_what_others_registered_gets_traffic_while_it_is_healthy(
    own_network: None, balance: Callable[..., Balancer]
) -> None:
    """The catalog with tags, meta and checks, and keys; what stands there and is none is said, and no more."""
    with ExitStack() as stack:
        consul = stack.enter_context(Consul())
        one, two, three, four = (stack.enter_context(Web(f"web-{number}")) for number in range(1, 5))
        check = {"CheckID": "own", "TTL": "60s", "Status": "passing"}
        meta = {"longshore_host": "a.test"}
        consul.register("h1:web-1:80", "web", one.port, Tags=["blue"], Meta=meta)
        consul.register("h1:web-2:80", "web", two.port, Tags=["blue", "longshore.host=a.test"], Check=check)
        consul.register("h1:web-3:80", "web", three.port, Tags=["green"], Meta=meta)
        consul.put("registrator/shop/h1:shop:80", f"127.0.0.1:{four.port}")
        consul.put("registrator/shop/h1:broken:80", "rubbish")
        source = {"type": "consul", "address": consul.address()}
        sources = {
            "catalog": source | {"layout": "registrator", "tags": ["blue"]},
            "keys": source | {"layout": "consulkv", "prefix": "/registrator", "find": "named"},
        }
        services = {"shop": {"from": {"source": "keys", "service": "shop"}, "host": "shop.test"}}
        b = balance(config={"sources": sources, "services": services})
        assert b.serves("a.test", 2) == {"web-1", "web-2"}
        assert b.serves("shop.test", 1) == {"web-4"}
        b.until(lambda status: any('"rubbish"' in problem["what"] for problem in status["problems"]))
        consul.ask("PUT", "agent/check/fail/own")
        assert b.serves("a.test", 1) == {"web-1"}
        consul.ask("PUT", "agent/check/pass/own")
        b.serves("a.test", 2)
        consul.delete("registrator/shop/h1:broken:80")
        b.until(lambda status: not status["problems"])
        for number in (1, 2):
            consul.deregister(f"h1:web-{number}:80")
        consul.stop(0)
        b.until(lambda status: all(source["state"] == "stale" for source in status["sources"]))
        assert b.serves("shop.test", 1) == {"web-4"}
