"""Synapse's discovery with real registries, nameservers, engines and HAProxy, on the oldest and the newest one."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest

from tests.lab import ports
from tests.lab.dns import Dns
from tests.lab.engine import Engine
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper
from tests.system.smartstack import (
    PATH,
    SERIES,
    Synapse,
    answered,
    clear,
    enter,
    equals,
    found_at,
    synapse,
    webs,
    zookeeper,
)

__all__ = ["synapse", "webs", "zookeeper"]
pytestmark = pytest.mark.system


# A2 trap: every change reloads without a state file · with one, vanished servers stay as disabled lines
@pytest.mark.parametrize("series", SERIES)
def test_entries_of_nerve_come_and_go_without_a_reload(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    clear(zookeeper)
    one = enter(zookeeper, webs("one"))
    balancer = synapse.up(synapse.web(found_at(zookeeper)), series)
    balancer.serves("x", 1)
    with Load(port=synapse.port, rate=40) as load:
        enter(zookeeper, webs("two"))
        answered(balancer, {"one", "two"})
        load.more(10)
        zookeeper.delete(one)
        answered(balancer, {"two"})
        load.more(10)
    assert load.report.lost == 0, load.report
    assert balancer.reloads == 0
    until(lambda: "one." not in balancer.runtime("show servers state"), what="what is gone is gone")


# A2 behaviour: never seen any: empty backend, 503
# A2 trap: any watcher ping failure exits the process
@pytest.mark.parametrize("series", SERIES)
def test_a_registry_that_is_not_there_stops_nobody_else(
    synapse: Synapse, webs: Callable[[str], Web], series: str
) -> None:
    nowhere = {"method": "zookeeper", "hosts": [f"127.0.0.1:{ports.free()}"], "path": PATH}
    servers = [{"host": "127.0.0.1", "port": webs("one").port}]
    port = ports.free()
    there = {"discovery": {"method": "base"}, "default_servers": servers, "haproxy": {"port": port}}
    balancer = synapse.up(synapse.web(nowhere) | {"there": there}, series)
    answered(balancer, {"one"}, port=port)
    assert balancer.request("x").status == 503
    assert [problem["what"] for problem in balancer.status()["problems"]]


# A2 label_filters
@pytest.mark.parametrize("series", SERIES)
def test_labels_of_entries(synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str) -> None:
    clear(zookeeper)
    enter(zookeeper, webs("one"), labels={"az": "a"})
    enter(zookeeper, webs("two"), labels={"az": "b"})
    enter(zookeeper, webs("three"))
    unlike = equals("az", "b") | {"condition": "not-equals"}
    services = {
        "web": synapse.web(found_at(zookeeper, label_filters=[equals("az", "a")]))["web"],
        "not-b": synapse.web(found_at(zookeeper, label_filters=[unlike]))["web"] | {"haproxy": {"port": ports.free()}},
    }
    balancer = synapse.up(services, series)
    answered(balancer, {"one"})
    answered(balancer, {"one", "three"}, port=services["not-b"]["haproxy"]["port"])


# A2 service: leader_election, the smallest id
@pytest.mark.parametrize("series", SERIES)
def test_the_entry_with_the_smallest_number_leads(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    """The number that ZooKeeper gave, not the address: the one that came first leads, wherever it is."""
    clear(zookeeper)
    late, early = sorted((webs("a"), webs("b")), key=lambda web: f"127.0.0.1:{web.port}")
    first = enter(zookeeper, early)
    enter(zookeeper, late)
    balancer = synapse.up(synapse.web(found_at(zookeeper), leader_election=True), series)
    answered(balancer, {early.name})
    zookeeper.delete(first)
    answered(balancer, {late.name})


# A2 service: default_servers
@pytest.mark.parametrize("series", SERIES)
def test_default_servers_serve_while_none_is_found(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    clear(zookeeper)
    default = webs("default")
    servers = [{"name": "default", "host": "127.0.0.1", "port": default.port}]
    balancer = synapse.up(synapse.web(found_at(zookeeper), default_servers=servers), series)
    answered(balancer, {"default"})
    with Load(port=synapse.port, rate=40) as load:
        entry = enter(zookeeper, webs("one"))
        answered(balancer, {"one"})
        zookeeper.delete(entry)
        answered(balancer, {"default"})
        load.more(10)
    assert load.report.lost == 0, load.report
    assert balancer.reloads == 0


# A2 service: keep_default_servers
def test_default_servers_that_are_kept_serve_beside_the_others(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web]
) -> None:
    clear(zookeeper)
    servers = [{"host": "127.0.0.1", "port": webs("default").port}]
    service = synapse.web(found_at(zookeeper), default_servers=servers, keep_default_servers=True)
    balancer = synapse.up(service)
    answered(balancer, {"default"})
    enter(zookeeper, webs("one"))
    answered(balancer, {"default", "one"})


# A2 service: use_previous_backends
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("previous", [True, False])
def test_previous_backends_go_on_when_all_are_gone_unless_told_otherwise(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str, previous: bool
) -> None:
    clear(zookeeper)
    entry = enter(zookeeper, webs("one"))
    balancer = synapse.up(synapse.web(found_at(zookeeper), use_previous_backends=previous), series)
    balancer.serves("x", 1)
    zookeeper.delete(entry)
    if previous:
        balancer.until(lambda status: "kept" in json.dumps(status["services"]), "the last one is kept")
        answered(balancer, {"one"})
    else:
        until(lambda: balancer.request("x").status == 503, what="nobody is left")


# A2 discovery zookeeper: decode
def test_serversets_with_a_named_endpoint(synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web]) -> None:
    clear(zookeeper)
    web = webs("one")
    other, named = ({"host": "127.0.0.1", "port": port} for port in (1, web.port))
    member = {"serviceEndpoint": other, "additionalEndpoints": {"http": named}, "status": "ALIVE", "shard": 0}
    zookeeper.put(f"{PATH}/member_", json.dumps(member), ephemeral=True, sequence=True)
    decode = {"method": "serverset", "endpoint_name": "http"}
    answered(synapse.up(synapse.web(found_at(zookeeper, decode=decode))), {"one"})


# A2 discovery dns
# A2 trap: ping resolves airbnb.com each loop (there is no way out of the network of this test)
@pytest.mark.parametrize("series", SERIES)
def test_names_are_looked_up(synapse: Synapse, webs: Callable[[str], Web], series: str) -> None:
    with Dns() as dns:
        web = webs("one")
        dns.put("web.test", "A", "127.0.0.1")
        server = {"name": "web", "host": "web.test", "port": web.port}
        balancer = synapse.up(synapse.web({"method": "dns", "servers": [server], "nameserver": dns.where}), series)
        answered(balancer, {"one"})
        dns.put("web.test", "A", "127.0.0.1", "127.0.0.2")
        balancer.until_up("web", 2)
        assert balancer.reloads == 0


# A2 discovery zookeeper_dns
def test_entries_that_say_names_are_looked_up(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web]
) -> None:
    clear(zookeeper)
    with Dns() as dns:
        dns.put("entry.test", "A", "127.0.0.1")
        enter(zookeeper, webs("one"), host="entry.test")
        found = found_at(zookeeper) | {"method": "zookeeper_dns", "nameserver": dns.where}
        answered(synapse.up(synapse.web(found)), {"one"})


# A2 discovery docker: servers
def test_containers_of_two_engines(synapse: Synapse, new_engine: Callable[..., Engine]) -> None:
    where = [ports.free(), ports.free()]
    engines = [new_engine(hosts=[f"tcp://127.0.0.1:{port}"]) for port in where]
    containers = [engine.run(args=("-p", "8000")) for engine in engines]
    servers = [{"name": f"e{port}", "host": "127.0.0.1", "port": port} for port in where]
    discovery = {"method": "docker", "servers": servers, "image_name": "lab/web", "container_port": 8000}
    balancer = synapse.up(synapse.web(discovery))
    answered(balancer, {each.short for each in containers})
    containers[0].stop()
    answered(balancer, {containers[1].short})
    assert balancer.reloads == 0


@pytest.mark.parametrize("series", SERIES)
def test_sighup_reads_the_file_again(synapse: Synapse, webs: Callable[[str], Web], series: str) -> None:
    servers = [{"host": "127.0.0.1", "port": webs(name).port} for name in ("one", "two")]
    service = synapse.web({"method": "base"}, default_servers=servers[:1])
    balancer = synapse.up(service, series)
    answered(balancer, {"one"})
    with Load(port=synapse.port, rate=40) as load:
        whole = json.loads(synapse.path.read_text())
        whole["services"]["web"]["default_servers"] = servers
        synapse.path.write_text(json.dumps(whole))
        balancer.send(signal.SIGHUP)
        answered(balancer, {"one", "two"})
        load.more(10)
    assert load.report.lost == 0, load.report


@pytest.mark.parametrize("series", SERIES)
def test_a_service_whose_file_becomes_broken_goes_on(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    clear(zookeeper)
    enter(zookeeper, webs("one"))
    balancer = synapse.up(synapse.web(found_at(zookeeper)), series)
    balancer.serves("x", 1)
    with Load(port=synapse.port, rate=40) as load:
        whole = json.loads(synapse.path.read_text())
        broken = whole["services"]["web"] | {"discovery": {"method": "zookeper"}}
        other = {"discovery": {"method": "base"}, "haproxy": {"port": ports.free()}}
        synapse.path.write_text(json.dumps(whole | {"services": {"web": broken, "other": other}}))
        balancer.send(signal.SIGHUP)
        balancer.until(lambda status: "its last good version goes on" in json.dumps(status["problems"]), "it is said")
        balancer.until(lambda status: "other" in {each["name"] for each in status["services"]}, "others change")
        enter(zookeeper, webs("two"))
        answered(balancer, {"one", "two"})
        synapse.path.write_text("{")
        balancer.send(signal.SIGHUP)
        balancer.until(lambda status: "not valid YAML" in json.dumps(status["problems"]), "it is said")
        answered(balancer, {"one", "two"})
        load.more(10)
    assert load.report.lost == 0, load.report
