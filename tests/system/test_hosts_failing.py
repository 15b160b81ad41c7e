"""Hosts that lose power, reboot, are cut off or disagree about an address: the clients of the others notice nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.etcd import Etcd
from tests.lab.hosts import Host, HostBalancer, HostRegistrar, Hosts
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system
TTL = 3
LABELS = {"longshore.host": "a.test", "longshore.service": "web", "longshore.check": "/health"}
ALWAYS = ("-p", "8000", "--restart", "always")


@pytest.fixture(scope="module")
def lab(own_network: None) -> Iterator[Hosts]:
    with Hosts(3, engines=2) as hosts:
        yield hosts


@pytest.fixture
def hosts(lab: Hosts) -> Iterator[Hosts]:
    yield lab
    lab.reset()


@pytest.fixture
def etcd(hosts: Hosts) -> Iterator[Etcd]:
    with Etcd().at(hosts.address) as cluster:
        yield cluster


@pytest.fixture
def started() -> Iterator[Callable[[Any], Any]]:
    """Start what it is given, and end it with the test."""
    with ExitStack() as stack:
        made = list[Any]()

        def start_one(what: Any) -> Any:
            made.append(what)
            return stack.enter_context(what)

        yield start_one
        for each in made:
            print(f"--- log on {each.host.name}\n{each.log_text()}")  # noqa: T201 - shown when the test failed


@pytest.fixture
def register(etcd: Etcd, started: Callable[[Any], Any]) -> Callable[..., HostRegistrar]:
    def on(host: Host, **section: Any) -> HostRegistrar:
        sources = {"etcd": {"endpoints": etcd.endpoints}}
        made: HostRegistrar = started(host.registrar(sources=sources, register={"ttl": f"{TTL}s", **section}))
        return made

    return on


@pytest.fixture
def balancer(etcd: Etcd, hosts: Hosts, started: Callable[[Any], Any], request: pytest.FixtureRequest) -> HostBalancer:
    series = getattr(request, "param", "3.4")
    made: HostBalancer = started(
        hosts[2].balancer(series=series, config={"sources": {"etcd": {"endpoints": etcd.endpoints}}})
    )
    return made


def keys(etcd: Etcd) -> set[str]:
    return set(etcd.keys("/longshore/services/web/"))


def of(etcd: Etcd, host: Host) -> set[str]:
    """Return the keys that lead to a host."""
    return {key for key, value in etcd.keys("/longshore/services/web/").items() if f'"{host.address}"' in value}


@pytest.mark.parametrize("balancer", ["2.6", "3.4"], indirect=True)
def test_a_host_that_loses_power_costs_no_request(
    hosts: Hosts, etcd: Etcd, register: Callable[..., HostRegistrar], balancer: HostBalancer
) -> None:
    """Connections to it are silent, not closed: what was sent on them is asked elsewhere when nothing is heard.

    That goes for requests it never got, and for those it was at work on (`slow`).
    """
    one, two, _ = hosts
    for host in (one, two):
        register(host)
    left = {two.run(labels=LABELS, args=ALWAYS).short for _ in range(2)}
    for _ in range(2):
        one.run(labels=LABELS, args=ALWAYS)
    balancer.serves("a.test", 4)
    with (
        Load(address=balancer.address, port=balancer.port, host="a.test", rate=60, timeout=30) as load,
        Load(address=balancer.address, port=balancer.port, host="a.test", rate=20, keep=False, timeout=30) as fresh,
        Load(
            address=balancer.address, port=balancer.port, host="a.test", path="/slow?2000", rate=3, timeout=60
        ) as slow,
    ):
        load.more(60)
        slow.more(3)
        assert of(etcd, one)
        one.power_off()
        until(lambda: not of(etcd, one), TTL + 20, "the entries of the dead host are gone")
        assert balancer.serves("a.test", 2) == left
        load.more(60)
    assert load.report.lost == 0, load.report
    assert fresh.report.lost == 0, fresh.report
    assert slow.report.lost == 0, slow.report


def test_a_host_that_reboots_comes_back_with_the_same_containers_once(
    hosts: Hosts, etcd: Etcd, register: Callable[..., HostRegistrar], balancer: HostBalancer
) -> None:
    """Ids and owner are the same; the ports that the engine publishes now need not be."""
    one, two, _ = hosts
    registrar = register(one)
    register(two)
    back = {one.run(labels=LABELS, args=ALWAYS).short for _ in range(2)}
    stays = two.run(labels=LABELS, args=ALWAYS).short
    assert balancer.serves("a.test", 3) == back | {stays}
    before, owner = of(etcd, one), registrar.status()["registrar"]["owner"]
    with Load(address=balancer.address, port=balancer.port, host="a.test", rate=20, keep=False, timeout=30) as load:
        one.power_off()
        one.start()
        registrar.start()
        until(lambda: all(container.status == "running" for container in one.containers()))
        registrar.until_held("web", 2)
        assert balancer.serves("a.test", 3) == back | {stays}
        load.more(20)
    assert load.report.lost == 0, load.report
    assert of(etcd, one) == before, "the same keys, no more"
    assert len(keys(etcd)) == 3
    assert registrar.status()["registrar"]["owner"] == owner


def test_a_host_that_balances_prefers_its_own_containers_while_it_has_any(
    hosts: Hosts, etcd: Etcd, register: Callable[..., HostRegistrar], started: Callable[[Any], Any]
) -> None:
    """Nothing has to be said but `prefer: host`: it knows its own name, and registrars write theirs."""
    one, two, _ = hosts
    for host in (one, two):
        register(host)
    near = one.balancer(series="2.6", config={"sources": {"etcd": {"endpoints": etcd.endpoints}}})
    labels = LABELS | {"longshore.prefer": "host"}
    own, other = one.run(labels=labels, args=ALWAYS), two.run(labels=labels, args=ALWAYS)
    started(near)
    near.until_up("web", 2)
    assert near.serves("a.test", 1) == {own.short}
    with Load(address=near.address, port=near.port, host="a.test", rate=40) as load:
        load.more(20)
        own.rm()
        until(lambda: near.serves("a.test", 1) == {other.short})
        back = one.run(labels=labels, args=ALWAYS)
        until(lambda: near.serves("a.test", 1) == {back.short})
        load.more(20)
    assert load.report.lost == 0, load.report


def test_two_hosts_that_claim_one_address_are_told_and_harm_nothing(
    hosts: Hosts, etcd: Etcd, register: Callable[..., HostRegistrar], balancer: HostBalancer
) -> None:
    """A host that was cloned with its configuration, or two registrars for one process: the address is served once."""
    one, two, _ = hosts
    container = one.run(labels=LABELS, args=ALWAYS)
    port = container.published()
    claim = {"web": {"address": one.address, "port": port, "id": "claimed", "check": "tcp"}}
    register(one)
    register(two, services=claim)
    other = two.run(labels=LABELS, args=ALWAYS)
    until(lambda: len(keys(etcd)) == 3)
    with Load(address=balancer.address, port=balancer.port, host="a.test", rate=40) as load:
        assert balancer.serves("a.test", 2) == {container.short, other.short}
        balancer.until(lambda status: len(claims(status, f"{one.address}:{port}")) == 1, "the claim is said, once")
        load.more(40)
        etcd.delete(next(key for key in keys(etcd) if "claimed" in key))
    assert load.report.lost == 0, load.report


def claims(status: Any, place: str) -> list[str]:
    """Return who is said to claim an address."""
    found = [problem for problem in status["problems"] if "registered by several hosts" in problem["what"]]
    return [problem["what"] for problem in found if place in problem["where"]]
