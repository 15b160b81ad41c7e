"""Walk-through 4: a registry, two backend hosts with a registrar each, a client host with a balancer.

The configurations are those of the tutorial (docs/tutorials/several-hosts.md), with the addresses of the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import pages
from tests.lab.cluster import Cluster
from tests.lab.consul import Consul
from tests.lab.container import Container
from tests.lab.etcd import Etcd
from tests.lab.hosts import Host, HostBalancer, HostRegistrar, Hosts
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.lab.whoami import start
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
TUTORIAL = [YAML(typ="safe").load(block) for block in pages()["docs/tutorials/several-hosts.md"].blocks("yaml")]
BACKEND = next(block for block in TUTORIAL if "register" in block)
CLIENT = next(block for block in TUTORIAL if "services" in block)
REGISTRIES: dict[str, Callable[[], Cluster]] = {"etcd": Etcd, "zookeeper": ZooKeeper, "consul": Consul}


def source(registry: Cluster) -> dict[str, Any]:
    """Return the tutorial's section `sources` for this registry, where it really is."""
    if isinstance(registry, Etcd):
        kind, places = "etcd", {"endpoints": registry.endpoints}
    elif isinstance(registry, ZooKeeper):
        kind, places = "zookeeper", {"hosts": registry.hosts}
    else:
        assert isinstance(registry, Consul)
        kind, places = "consul", {"address": registry.address()}  # type: ignore[dict-item]
    written = next(block["sources"][kind] for block in TUTORIAL if kind in block["sources"])
    assert written.keys() == places.keys()
    return {kind: places}


@pytest.fixture(scope="module")
def lab(own_network: None) -> Iterator[Hosts]:
    with Hosts(3, engines=2) as hosts:
        yield hosts


@pytest.fixture
def hosts(lab: Hosts) -> Iterator[Hosts]:
    yield lab
    lab.reset()


@pytest.fixture
def started() -> Iterator[Callable[[Any], Any]]:
    """Start what it is given, and end it with the test."""
    with ExitStack() as stack:
        logs = list[Any]()

        def start_one(what: Any) -> Any:
            logs.append(what)
            return stack.enter_context(what)

        yield start_one
        for each in logs:
            if isinstance(each, HostRegistrar | HostBalancer):
                print(f"--- log on {each.host.name}\n{each.log_text()}")  # noqa: T201 - shown when the test failed


def curl(client: Host, times: int) -> list[str]:
    """Ask the balancer from its own host, one time after another, each on a connection of its own."""
    urls = ["http://localhost:8000/"] * times
    said = client.shell("curl", "-sS", "--fail", "--header", "Connection: close", *urls)
    return [line.removeprefix("I'm ") for line in said.splitlines()]


def take_turns(client: Host, *containers: Container) -> None:
    """Wait until exactly these answer, and each of them in turn."""
    wanted, count = {each.short for each in containers}, len(containers)

    def in_turn() -> bool:
        try:
            answers = curl(client, 3 * count)
        except RuntimeError as error:
            raise OSError(str(error)) from None
        assert set(answers) == wanted, f"{answers} instead of {wanted}"
        windows = [answers[at : at + count] for at in range(len(answers) - count + 1)]
        return all(len(set(window)) == count for window in windows)

    until(in_turn, what=f"{wanted} take turns")


@pytest.mark.parametrize(
    ("kind", "series"), [("etcd", "2.6"), ("etcd", "3.4"), ("zookeeper", "2.6"), ("consul", "3.4")]
)
def test_containers_of_two_hosts_take_turns_and_no_request_is_lost(
    hosts: Hosts, started: Callable[[Any], Any], kind: str, series: str
) -> None:
    one, two, client = hosts
    registry = started(REGISTRIES[kind]().at(hosts.address))
    sources = source(registry)
    for host in (one, two):
        started(host.registrar(sources=sources, register=BACKEND["register"]))
    first, second = start(one), start(two)
    balancer = started(client.balancer(series=series, config=CLIENT | {"sources": _named(CLIENT, sources)}))
    take_turns(client, first, second)
    page = client.shell("curl", "-sS", "http://localhost:1936/")
    assert all(each.inspect()["Name"][1:] in page for each in (first, second))

    with Load(address=client.address, port=8000, rate=40) as load:
        load.more(10)
        third, fourth = start(one), start(one)
        take_turns(client, first, second, third, fourth)
        for container in (first, second, third):
            container.kill()
        take_turns(client, fourth)
        fifth = start(two)
        take_turns(client, fourth, fifth)
        load.more(10)
    assert load.report.lost == 0, load.report
    assert balancer.reloads == 0
    balancer.until(lambda status: not status["problems"], "nothing is left to say")


def _named(config: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """Give the registry the name that the services of the configuration call it by."""
    name = config["services"]["whoami"]["from"]["source"]
    ((kind, section),) = sources.items()
    return {name: {"type": kind, **section}}


def test_entries_of_a_registrar_that_died_expire(hosts: Hosts, started: Callable[[Any], Any]) -> None:
    one, two, client = hosts
    etcd = started(Etcd().at(hosts.address))
    first, second = start(one), start(two)
    died, _ = (started(host.registrar(sources=source(etcd), register=BACKEND["register"])) for host in (one, two))
    balancer = started(client.balancer(config=CLIENT | {"sources": source(etcd)}))
    take_turns(client, first, second)
    with Load(address=client.address, port=8000, rate=40) as load:
        died.kill9()
        take_turns(client, second)
        died.start()
        take_turns(client, first, second)
    assert load.report.lost == 0, load.report
    assert set(pairwise(curl(client, 4))) == {(first.short, second.short), (second.short, first.short)}
    balancer.until(lambda status: not status["problems"], "nothing is left to say")
