"""Several registries at once: each gets everything, and one that is away holds up no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.consul import Consul
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.zookeeper import ZooKeeper
from tests.system.registrar.conftest import Register
from tests.system.registrar.standing import LABELS, PORT, PREFIX, Sight, entries, ids

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def zookeeper(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as ensemble:
        yield ensemble


@pytest.fixture(scope="module")
def consul(own_network: None) -> Iterator[Consul]:
    with Consul() as agent:
        yield agent


def nodes(zookeeper: ZooKeeper) -> set[str]:
    """The ids of entries in ZooKeeper, twins and all counted once each."""
    found = [path.rpartition("/")[2].rpartition("_")[0] for path in zookeeper.nodes(f"{PREFIX}/web") if "_" in path]
    assert len(found) == len(set(found)), f"one stands twice: {found}"
    return set(found)


def passing(consul: Consul) -> set[str]:
    """The ids of entries in Consul that are healthy."""
    found = [check for check in consul.checks().values() if check["ServiceName"] == "web"]
    return {check["ServiceID"].partition("/")[2] for check in found if check["Status"] == "passing"}


def test_three_registries_of_three_kinds(
    etcd: Etcd, zookeeper: ZooKeeper, consul: Consul, engine: Engine, register: Register
) -> None:
    sources = {
        "etcd": {"endpoints": etcd.endpoints},
        "zookeeper": {"hosts": zookeeper.hosts},
        "consul": {"address": consul.address()},
    }
    registrar = register(sources=sources, register={"registry": ["etcd", "zookeeper", "consul"], "ttl": "10s"})
    one, two = (engine.run(labels=LABELS, args=PORT) for _ in range(2))

    def everywhere(*containers: Container) -> bool:
        wanted = ids(*containers)
        return set(entries(etcd)) == nodes(zookeeper) == passing(consul) == wanted

    until(lambda: everywhere(one, two))
    assert len(registrar.until_held("web", 6)) == 6
    one.stop()
    until(lambda: everywhere(two))
    etcd.kill(0)
    three = engine.run(labels=LABELS, args=PORT)
    until(lambda: nodes(zookeeper) == passing(consul) == ids(two, three))
    registrar.until(lambda status: [each["state"] for each in status["registrar"]["registries"]].count("away") == 1)
    etcd.start(0)
    until(lambda: everywhere(two, three))
    registrar.until_held("web", 6)
    registrar.terminate()
    until(lambda: everywhere())


def test_a_registry_that_was_away_catches_up(etcd: Etcd, engine: Engine, register: Register) -> None:
    """Also one that was away from the start. What stood there all the time is not touched."""
    etcd.kill(0)
    registrar = register(register={"ttl": "1h"})
    stays, leaves = (engine.run(labels=LABELS, args=PORT) for _ in range(2))
    registrar.until(lambda status: len(status["registrar"]["leases"]) == 2)
    assert not registrar.status()["ready"]
    etcd.start(0)
    until(lambda: set(entries(etcd)) == ids(stays, leaves))
    before = etcd.revisions()
    etcd.kill(0)
    leaves.stop()
    comes = engine.run(labels=LABELS, args=PORT)
    stays.pause()
    stays.unpause()
    registrar.until(lambda status: comes.short in str(status["registrar"]["leases"]))
    etcd.start(0)
    with Sight(etcd) as sight:
        until(lambda: set(entries(etcd)) == ids(stays, comes))
        registrar.until_held("web", 2)
    assert sight.least >= 1
    key = f"{PREFIX}/web/{stays.short}:8000"
    assert etcd.revisions()[key] == before[key]
    assert not registrar.status()["problems"]
