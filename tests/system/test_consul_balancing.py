"""Containers, a registrar, Consul and a balancer, all real: every request is counted while everything fails in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.consul import Consul
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.registrar import Registrar

pytestmark = pytest.mark.system
LABELS = {"longshore.service": "web", "longshore.host": "a.test", "longshore.check-interval": "200ms"}
PORT = ("-p", "8000")


@pytest.fixture
def three(own_network: None) -> Iterator[Consul]:
    """Three servers, and the agent of a host, which is number 3."""
    with Consul(size=3, clients=1) as cluster:
        yield cluster


def ids(b: Balancer) -> set[str]:
    return {endpoint["id"] for endpoint in b.service("web")["endpoints"]}


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
