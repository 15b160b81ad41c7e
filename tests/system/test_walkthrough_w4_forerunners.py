"""Walk-through 4 in its forerunners' own terms: docker-register, docker-discover and registrator, by their own words.

Four machines: etcd (this one), two backend hosts with an engine, a client host with the balancer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.foreign_hosts import ForeignHostBalancer, ForeignHostRegistrar
from tests.lab.hosts import Host, Hosts
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.lab.whoami import start
from tests.system.test_walkthrough_w4 import take_turns

pytestmark = pytest.mark.system
Started = Callable[[Any], Any]


@pytest.fixture(scope="module")
def lab(own_network: None) -> Iterator[Hosts]:
    with Hosts(3, engines=2) as hosts:
        yield hosts


@pytest.fixture
def hosts(lab: Hosts) -> Iterator[Hosts]:
    yield lab
    lab.reset()


@pytest.fixture
def started() -> Iterator[Started]:
    """Start what it is given, and end it with the test."""
    with ExitStack() as stack:
        yield stack.enter_context


def docker_register(host: Host, etcd: Etcd) -> ForeignHostRegistrar:
    """`HOST_IP=… ETCD_HOST=… longshore register --docker-register`."""
    env = {"HOST_IP": host.address, "ETCD_HOST": etcd.endpoints[0].removeprefix("http://")}
    return ForeignHostRegistrar(host, "--docker-register", env=env)


def docker_discover(host: Host, etcd: Etcd, series: str = "3.4") -> ForeignHostBalancer:
    """`ETCD_HOST=… longshore up --docker-discover`."""
    env = {"ETCD_HOST": etcd.endpoints[0].removeprefix("http://")}
    return ForeignHostBalancer(host, "--docker-discover", env=env, series=series)


@pytest.mark.parametrize(
    "series", [pytest.param("2.6", id="A4 walk on HAProxy 2.6"), pytest.param("3.4", id="A4 walk on HAProxy 3.4")]
)
def test_images_of_two_hosts_take_turns_on_their_port(hosts: Hosts, started: Started, series: str) -> None:
    one, two, client = hosts
    etcd = started(Etcd().at(hosts.address))
    for host in (one, two):
        started(docker_register(host, etcd))
    first, second = start(one), start(two)
    balancer = started(docker_discover(client, etcd, series))
    take_turns(client, first, second)
    written = etcd.keys("/backends")
    assert written.pop("/backends/whoami/port") == "8000"
    ports = {each: f"{host.address}:{each.published(8000)}" for each, host in ((first, one), (second, two))}
    assert written == {f"/backends/whoami/{each.id[:12]}": place for each, place in ports.items()}
    page = client.shell("curl", "-sS", "http://localhost:1936/")
    assert all(each.id[:12] in page for each in (first, second))

    with Load(address=client.address, port=8000, rate=40) as load:
        load.more(10)
        third, fourth = start(one), start(one)
        take_turns(client, first, second, third, fourth)
        for container in (first, third):
            container.stop()
        take_turns(client, second, fourth)
        load.more(10)
    assert load.report.lost == 0, load.report
    fifth, sixth = start(one), start(one)
    take_turns(client, second, fourth, fifth, sixth)
    with Load(address=client.address, port=8000, rate=40) as load:
        load.more(10)
        for container in (second, fourth, fifth):
            container.kill()
        take_turns(client, sixth)
        load.more(10)
    assert load.report.lost <= 3, f"a killed container takes no more with it than what it was at: {load.report}"
    assert balancer.reloads <= 1, "the port of the image is the only thing that HAProxy must be reloaded for"
    balancer.until(lambda status: not status["problems"], "nothing is left to say")


@pytest.mark.parametrize("_", [pytest.param(0, id="A4 TTL 15")])
def test_entries_of_a_registrar_that_died_expire_and_those_of_one_that_ends_go_at_once(
    hosts: Hosts, started: Started, _: int
) -> None:
    one, two, client = hosts
    etcd = started(Etcd().at(hosts.address))
    dies, ends = started(docker_register(one, etcd)), started(docker_register(two, etcd))
    first, second = start(one), start(two)
    balancer = started(docker_discover(client, etcd))
    take_turns(client, first, second)
    assert sorted(int(etcd.ask("lease/timetolive", {"ID": each})["grantedTTL"]) for each in etcd.leases()) == [15, 15]
    with Load(address=client.address, port=8000, rate=40) as load:
        dies.kill9()
        take_turns(client, second)
        dies.start()
        take_turns(client, first, second)
        load.more(10)
    assert load.report.lost == 0, load.report
    assert ends.terminate() == 0
    assert f"/backends/whoami/{second.id[:12]}" not in etcd.keys("/backends")
    take_turns(client, first)
    balancer.until(lambda status: not status["problems"], "nothing is left to say")


@pytest.mark.parametrize(
    ("kind", "series"),
    [
        pytest.param("consul", "2.6", id="A5 walk on consul:// and HAProxy 2.6"),
        pytest.param("etcd", "3.4", id="A5 walk on etcd:// and HAProxy 3.4"),
    ],
)
def test_registrator_s_words_and_a_balancer_that_reads_its_entries(
    hosts: Hosts, started: Started, kind: str, series: str
) -> None:
    one, two, client = hosts
    if kind == "consul":
        consul = started(Consul().at(hosts.address))
        uri = consul.address().replace("http://", "consul://")
        source: dict[str, Any] = {"type": "consul", "address": consul.address(), "layout": "registrator"}
    else:
        etcd = started(Etcd().at(hosts.address))
        uri = etcd.endpoints[0].replace("http://", "etcd://") + "/services"
        source = {"type": "etcd", "endpoints": etcd.endpoints, "layout": "registrator", "prefix": "/services"}
    flags = ("-ttl", "5", "-ttl-refresh", "2", "-tags", "blue")
    for host in (one, two):
        started(ForeignHostRegistrar(host, "--registrator", uri, "-ip", host.address, *flags))
    tagged = ("-e", "SERVICE_REGION=eu", "-e", "SERVICE_CHECK_HTTP=/", "-e", "SERVICE_CHECK_INTERVAL=1s")
    first, second = start(one, *tagged), start(two, *tagged)
    picked = {"from": {"source": "registry", "service": "whoami"}, "listen": ":8000"}
    config = {"sources": {"registry": source}, "services": {"whoami": picked}}
    balancer = started(client.balancer(series=series, config=config))
    take_turns(client, first, second)
    with Load(address=client.address, port=8000, rate=40) as load:
        third = start(one, *tagged)
        take_turns(client, first, second, third)
        first.stop()
        take_turns(client, second, third)
        load.more(10)
    assert load.report.lost == 0, load.report
    until(lambda: not balancer.status()["problems"], what="nothing is left to say")
    name = second.inspect()["Name"][1:]
    if kind == "consul":
        (service,) = [row for row in consul.ask("GET", "agent/services").values() if name in row["ID"]]
        assert service["ID"] == f"{two.name}:{name}:8000"
        assert (service["Service"], service["Tags"], service["Address"]) == ("whoami", ["blue"], two.address)
        assert service["Meta"] == {"check_http": "/", "check_interval": "1s", "region": "eu"}
    else:
        keys = etcd.keys("/services")
        assert keys[f"/services/whoami/{two.name}:{name}:8000"] == f"{two.address}:{second.published(8000)}"
