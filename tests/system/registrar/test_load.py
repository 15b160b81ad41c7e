"""Registrar, registry and balancer together under load: containers come and go, and no request is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.consul import Consul
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.zookeeper import ZooKeeper
from tests.system.registrar.conftest import Register
from tests.system.traffic import Copies, Traffic, twice

pytestmark = pytest.mark.system
LABELS = {"longshore.service": "web", "longshore.host": "a.test", "longshore.port": "8000"}


@pytest.fixture
def sources(request: pytest.FixtureRequest, etcd: Etcd) -> Iterator[dict[str, Any]]:
    """The registry between the two."""
    match request.param:
        case "etcd":
            yield {"etcd": {"endpoints": etcd.endpoints}}
        case "zookeeper":
            with ZooKeeper() as ensemble:
                yield {"zookeeper": {"hosts": ensemble.hosts}}
        case "consul":
            with Consul() as agent:
                yield {"consul": {"address": agent.address()}}


@pytest.mark.parametrize(
    ("series", "way", "sources"),
    [
        ("2.6", "published", "etcd"),
        ("3.4", "published", "etcd"),
        ("2.6", "routed", "etcd"),
        ("3.4", "routed", "etcd"),
        ("3.4", "routed", "zookeeper"),
        ("3.4", "routed", "consul"),
    ],
    indirect=["sources"],
)
def test_nothing_is_lost_while_containers_come_and_go(
    sources: dict[str, Any],
    engine: Engine,
    register: Register,
    balance: Callable[..., Balancer],
    series: str,
    way: str,
) -> None:
    """By published ports at this host's address, or by the containers' own. The balancer sees nothing but the registry.

    One closes at its stop signal, one serves on for a while, one ignores the signal until it is killed.
    """
    where: dict[str, Any] = {"networks": ["bridge"]} if way == "routed" else {"address": engine.gateway}
    registrar = register(sources=sources, register={"ttl": "10s", **where})
    b = balance(series=series, config={"sources": sources})
    copies = Copies(engine, LABELS, "-p", "8000")
    copies.start()
    b.until_up("web", 1)
    with Traffic(b) as traffic, ThreadPoolExecutor() as pool:
        for _ in range(2):
            leave = [copies.start(CLOSE="now"), copies.start(DRAIN=2), copies.start(IGNORE=1)]
            b.until_up("web", 4)
            traffic.more(10)
            stopped = [pool.submit(each.stop, 3) for each in leave]
            b.until_up("web", 1)
            registrar.until_held("web", 1)
            for each in stopped:
                each.result()
            traffic.more(10)
    assert traffic.lost == {}
    copies.check(traffic)
    assert twice(copies.posts()) == []
    assert b.reloads == 0
