"""What stands in a registry gets traffic through a real balancer; what goes wrong there harms no request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab.balancer import Balancer
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
LABELS = {"longshore.host": "a.test", "longshore.check-interval": "200ms"}


@pytest.fixture
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def webs(own_network: None) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Web(f"web-{number}")) for number in range(4)]


def register(etcd: Etcd, web: Web, service: str = "web", labels: dict[str, str] = LABELS) -> None:
    value = {"host": "127.0.0.1", "port": web.port, "name": web.name, "labels": labels}
    etcd.put(f"{PREFIX}/{service}/{web.name}", json.dumps(value))


def problems(balancer: Balancer) -> list[str]:
    return [problem["what"] for problem in balancer.status()["problems"]]


def test_entries_get_traffic_and_broken_ones_are_said(
    etcd: Etcd, webs: list[Web], balance: Callable[..., Balancer]
) -> None:
    """Found by itself, picked by the operator, in docker-register's layout; foreign values are listed, and no more."""
    register(etcd, webs[0])
    etcd.put(f"{PREFIX}/web/foreign", "rubbish")
    etcd.put("/backends/whoami/4f3c2a1b0c9d", f"127.0.0.1:{webs[2].port}")
    etcd.put("/backends/whoami/port", "18080")
    source = {"endpoints": etcd.endpoints}
    sources = {
        "etcd": source,
        "old": source | {"type": "etcd", "prefix": "/backends", "layout": "docker-register"},
    }
    services = {"shop": {"from": {"source": "etcd", "service": "picked"}, "host": "shop.test"}}
    b = balance(config={"sources": sources, "services": services})
    assert b.serves("a.test", 1) == {"web-0"}
    assert b.serves("x.test", 1, port=18080) == {"web-2"}, "docker-register's port is listened on, over TCP"
    assert 'is not JSON: "rubbish"' in problems(b)
    register(etcd, webs[1])
    b.serves("a.test", 2)
    register(etcd, webs[3], "picked", {})
    assert b.serves("shop.test", 1) == {"web-3"}
    etcd.delete(f"{PREFIX}/web/web-0")
    assert b.serves("a.test", 1) == {"web-1"}
    etcd.delete(f"{PREFIX}/web/foreign")
    b.until(lambda status: not any("JSON" in problem["what"] for problem in status["problems"]))


def test_a_registry_that_is_wiped_or_gone_costs_no_endpoint_that_answers(
    etcd: Etcd, webs: list[Web], balance: Callable[..., Balancer]
) -> None:
    for web in webs:
        register(etcd, web)
    b = balance(config={"sources": {"etcd": {"endpoints": etcd.endpoints}}})
    b.serves("a.test", 4)
    etcd.clear()
    b.until(lambda status: any("vanished from the registry together" in p["what"] for p in status["problems"]))
    b.serves("a.test", 4)
    assert webs[3].process
    webs[3].process.kill()
    b.serves("a.test", 3)
    b.until(lambda status: len(b.service("web")["endpoints"]) == 3, "the one that does not answer is gone")
    for web in webs[:3]:
        register(etcd, web)
    b.until(lambda status: not status["problems"])
    etcd.stop(0)
    b.until(lambda status: any(source["state"] == "stale" for source in status["sources"]))
    b.serves("a.test", 3)
    b.terminate()
    b.start()
    b.serves("a.test", 3)  # the last good state, with the registry away
    etcd.start(0)
    b.until(lambda status: not any(source["state"] == "stale" for source in status["sources"]))
    until(lambda: not problems(b))
    b.serves("a.test", 3)
