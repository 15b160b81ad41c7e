"""Services and the rest of Nerve's configuration in our terms (reference, A3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.nerve_written import ETCD, SERVICE, TCP, top, web, wrote

LIMIT = {"average": 0.5, "burst": 3, "shadow": False}
USUAL = {"check": "tcp", "timeout": 0.1, "rise": 1, "fall": 1}


def part(whole: Any, of: Any) -> bool:
    """Whether a mapping says at least this."""
    return all(whole.get(key) == value for key, value in of.items())


@pytest.mark.parametrize(
    ("keys", "service"),
    [
        pytest.param({}, {"address": "10.0.0.5"}, id="A3 host"),
        pytest.param({}, {"port": 3000}, id="A3 port"),
        pytest.param({}, {"id": "i-1"}, id="A3 instance_id: of each entry"),
        pytest.param({}, {"interval": 0.5}, id="A3 check_interval, by default"),
        pytest.param({"check_interval": 2}, {"interval": 2}, id="A3 check_interval"),
        pytest.param({"checks": [TCP, TCP]}, {"checks": [USUAL, USUAL]}, id="A3 checks: several"),
        pytest.param({"checks": []}, {"check": "none"}, id="A3 checks: none"),
        pytest.param({"checks": ...}, {"check": "none"}, id="A3 checks: not said"),
        pytest.param({"weight": 5}, {"weight": 5}, id="A3 weight"),
        pytest.param({"weight": "500"}, {"weight": 500}, id="A3 weight: as text"),
        pytest.param(
            {"haproxy_server_options": "backup"}, {"server-options": "backup"}, id="A3 haproxy_server_options"
        ),
        pytest.param({"labels": {"z": "1", "a": "2"}}, {"labels": {"z": "1", "a": "2"}}, id="A3 labels"),
        pytest.param(
            {"rate_limiting": {"average_rate": 0.5, "max_burst": 3, "shadow_mode": False}},
            {"rate-limit": LIMIT},
            id="A3 rate_limiting: shadow_mode, average_rate, max_burst",
        ),
        pytest.param(
            {"rate_limiting": {"average_rate": 5}},
            {"rate-limit": {"average": 5, "shadow": True}},
            id="A3 rate_limiting: shadow_mode, by default",
        ),
        pytest.param(
            {"rate_limiting": {"average_rate": "Infinity"}},
            {"rate-limit": None},
            id="A3 rate_limiting: average_rate infinite",
        ),
        pytest.param({"reporter_type": "Zookeeper"}, {"registry": "zookeeper-zk1"}, id="A3 reporter_type: zookeeper"),
        pytest.param({}, {"path": "/nerve/services/web/services"}, id="A3 zk_path"),
        pytest.param({}, {"node-type": None}, id="A3 node_type, by default"),
        pytest.param({"node_type": "persistent"}, {"node-type": "persistent"}, id="A3 node_type: persistent"),
        pytest.param(
            {"node_type": "persistent_sequential", "ttl_seconds": 60},
            {"node-type": "persistent-sequential", "touch": 60},
            id="A3 ttl_seconds",
        ),
        pytest.param({"node_type": "ephemeral"}, {"node-type": "ephemeral"}, id="A3 node_type: ephemeral"),
        pytest.param({"use_path_encoding": True}, {"path-encoding": True}, id="A3 use_path_encoding"),
        pytest.param(
            {"use_path_encoding": "yes"}, {"path-encoding": None}, id="A3 use_path_encoding: only true counts"
        ),
    ],
)
def test_a_key(tmp_path: Path, keys: Any, service: Any) -> None:
    found = web(tmp_path, **keys)
    assert not found.problems
    assert part(found.service, service), found.service


@pytest.mark.parametrize(
    ("keys", "source", "path"),
    [
        pytest.param({}, {"endpoints": ["http://etcd1:4003"]}, "/", id="A3 etcd_port, by default"),
        pytest.param({"etcd_port": 2379}, {"endpoints": ["http://etcd1:2379"]}, "/", id="A3 etcd_port"),
        pytest.param({"etcd_host": "fd00::1"}, {"endpoints": ["http://[fd00::1]:4003"]}, "/", id="A3 etcd_host"),
        pytest.param({"etcd_path": "/services/web/"}, {"layout": "nerve"}, "/services/web", id="A3 etcd_path"),
    ],
)
def test_etcd(tmp_path: Path, keys: Any, source: Any, path: str) -> None:
    found = web(tmp_path, ETCD, **keys)
    assert not found.problems
    (only,) = found.document.data["sources"].values()
    assert part(only, {"type": "etcd", "layout": "nerve", **source})
    assert found.service["path"] == path
    assert any("API v3" in note for note in found.notes)


@pytest.mark.parametrize(
    ("interval", "ttl"),
    [pytest.param(0.5, 3.0, id="A3 etcd: TTL"), (2, 10.0), (0.1, 2.0)],
)
def test_an_entry_in_etcd_outlives_nerve_by_five_intervals(tmp_path: Path, interval: float, ttl: float) -> None:
    assert web(tmp_path, ETCD, check_interval=interval).register["ttl"] == ttl


@pytest.mark.parametrize("keys", [pytest.param({"reporter_type": "base"}, id="A3 reporter_type: base")])
def test_a_service_that_is_reported_nowhere_is_checked_all_the_same(tmp_path: Path, keys: Any) -> None:
    found = web(tmp_path, {"host": "10.0.0.5", "port": 3000, "checks": [TCP]}, **keys)
    assert not found.problems
    assert found.service["registry"] == []
    assert found.document.data["sources"] == {}
    assert found.loaded.config.register_ is not None


@pytest.mark.parametrize(
    ("hosts", "source", "path"),
    [
        pytest.param(
            ["zk2:2181", "zk1"], {"hosts": ["zk1:2181", "zk2:2181"]}, "/nerve/services/web/services", id="A3 zk_hosts"
        ),
        pytest.param(
            ["zk1:2181/smartstack"],
            {"hosts": ["zk1:2181"]},
            "/smartstack/nerve/services/web/services",
            id="A3 zk_hosts: chroot",
        ),
    ],
)
def test_ensembles(tmp_path: Path, hosts: list[str], source: Any, path: str) -> None:
    found = web(tmp_path, zk_hosts=hosts)
    assert not found.problems
    assert part(found.document.data["sources"]["zookeeper-zk1"], {"type": "zookeeper", "layout": "nerve", **source})
    assert found.service["path"] == path


def test_services_with_the_same_ensemble_share_a_source(tmp_path: Path) -> None:
    services = {
        "one": SERVICE | {"zk_hosts": ["zk2:2181", "zk1:2181"]},
        "two": SERVICE | {"zk_hosts": ["zk1:2181", "zk2:2181"]},
        "other": SERVICE | {"zk_hosts": ["zk9:2181"]},
        "third": ETCD,
    }
    found = top(tmp_path, services=services)
    assert not found.problems
    assert found.register["registry"] == ["zookeeper-zk1", "zookeeper-zk9", "etcd-etcd1"]
    registries = [service["registry"] for service in found.register["services"].values()]
    assert registries == ["zookeeper-zk1", "zookeeper-zk1", "zookeeper-zk9", "etcd-etcd1"]
    assert found.register["ttl"] == 32.0
    assert any("outlives a crash by 32 s, as the others do: with Nerve by 3 s" in note for note in found.notes)


@pytest.mark.parametrize(
    ("keys", "register"),
    [
        pytest.param({}, {"name": "i-1", "containers": False}, id="A3 instance_id"),
        pytest.param({}, {"ttl": 32.0}, id="A3 zookeeper: session 32 s"),
        pytest.param({"heartbeat_path": "/run/beat"}, {"heartbeat-file": "/run/beat"}, id="A3 heartbeat_path"),
        pytest.param({"services": {}}, {"services": {}}, id="A3 services: none"),
        pytest.param({"services": ...}, {"services": {}}, id="A3 services: not said"),
    ],
)
def test_what_concerns_all(tmp_path: Path, keys: Any, register: Any) -> None:
    found = top(tmp_path, **keys)
    assert not found.problems
    assert part(found.register, register)
    assert found.loaded.config.register_ is not None


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        pytest.param({"statsd": {"host": "h"}}, "statsd: is not spoken", id="A3 statsd"),
        pytest.param(
            {"max_repeated_report_failures": 3},
            "max_repeated_report_failures: is not needed: a registry that is away is tried until it is back",
            id="A3 max_repeated_report_failures",
        ),
        pytest.param(
            {"prometheus": {"enabled": True, "port": 9000}},
            "/metrics is served where --admin says, with names and buckets of its own; longshore register --admin "
            "0.0.0.0:9000",
            id="A3 prometheus (Yelp)",
        ),
        (
            {"heartbeat_pth": "/x"},
            'heartbeat_pth: is no key of Nerve\'s, and passed over; did you mean "heartbeat_path"?',
        ),
    ],
)
def test_what_means_something_else_than_it_did_is_said(tmp_path: Path, keys: Any, note: str) -> None:
    found = top(tmp_path, **keys)
    assert not found.problems
    assert note in found.notes[0]


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        pytest.param({"check_mocked": True}, "check_mocked: nothing is checked", id="A3 check_mocked"),
        pytest.param(
            {"load_test_concurrency": 100},
            "load_test_concurrency: is for load tests of Nerve: the service is registered once",
            id="A3 load_test_concurrency",
        ),
        pytest.param({"check_interval": 0}, "check_interval: is 0.05 s", id="A3 check_interval: 0"),
        pytest.param({"labels": {"n": 5}}, "labels.n: is written as text", id="A3 labels: not text"),
        pytest.param({"port": "3000"}, "port: is written as a number", id="A3 port: as text"),
        pytest.param(
            {"haproxy_server_options": "maxconn 10 backup"},
            'balancers do not take "maxconn 10" from it',
            id="A3 haproxy_server_options: others",
        ),
        pytest.param(
            {"ttl_seconds": 60},
            "ttl_seconds: has no meaning for ephemeral_sequential nodes",
            id="A3 ttl_seconds: ephemeral",
        ),
        pytest.param(
            {"rate_limiting": {"max_burst": 3}},
            "limits nothing: without average_rate",
            id="A3 rate_limiting: max_burst alone",
        ),
        pytest.param(
            {"rate_limiting": {"average_rate": 0.1, "shadow_mode": False}},
            "the first report is not held back: Nerve made it after 10 s",
            id="A3 rate_limiting: the first report",
        ),
        ({"etcd_host": "x"}, "etcd_host: has no meaning for the reporter zookeeper"),
        ({"wieght": 3}, 'wieght: is no key of Nerve\'s, and passed over; did you mean "weight"?'),
    ],
)
def test_what_of_a_service_means_something_else_is_said(tmp_path: Path, keys: Any, note: str) -> None:
    found = web(tmp_path, **keys)
    assert not found.problems
    assert len(found.notes) == 1
    assert note in found.notes[0]
    assert found.notes[0].startswith("nerve.conf.json:")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"host": ...}, "host is missing"),
        ({"port": ...}, "port is missing"),
        ({"port": 70000}, "port must be a whole number from 1 to 65535, not the number 70000"),
        ({"zk_path": ...}, "zk_path is missing"),
        ({"zk_hosts": []}, "zk_hosts is empty"),
        ({"zk_hosts": "zk1:2181"}, 'zk_hosts must be a list, like ["zk1:2181"]'),
        ({"weight": -1}, 'weight must be a whole number from 0 on, not "-1"'),
        ({"node_type": "eternal"}, 'node_type is "eternal"; did you mean "ephemeral"?'),
        pytest.param(
            {"reporter_type": "consul"},
            'reporter_type is "consul", which longshore has not; known are: zookeeper, etcd, base',
            id="A3 reporter_type: others",
        ),
        ({"checks": {"type": "tcp"}}, "checks must be a list, not a mapping"),
        ({"labels": ["a"]}, "labels must be a mapping, not a list"),
        ({"rate_limiting": {"average_rate": 1, "max_burst": 0.5}}, "max_burst must be at least 1, got 0.5"),
        ({"zk_path": "/"}, "entries cannot stand in ZooKeeper's root; choose a folder"),
        ({"host": "a b"}, '"a b" is neither an IP address nor a host name'),
    ],
)
def test_a_broken_service_is_set_aside_with_its_place_and_the_others_go_on(
    tmp_path: Path, keys: Any, problem: str
) -> None:
    said = {key: value for key, value in {**SERVICE, **keys}.items() if value is not ...}
    found = top(tmp_path, services={"web": said, "good": SERVICE})
    (text,) = found.problems
    assert text.startswith("nerve.conf.json:")
    assert problem in text
    assert list(found.loaded.config.register_.services) == ["good"]  # type: ignore[union-attr]


def test_without_an_instance_nothing_goes(tmp_path: Path) -> None:
    found = top(tmp_path, instance_id=...)
    assert found.problems == [
        "nerve.conf.json:1:1: instance_id is missing; say it there, with --instance-id, or in NERVE_INSTANCE_ID"
    ]


@pytest.mark.parametrize("variable", [pytest.param("NERVE_INSTANCE_ID", id="A3 NERVE_INSTANCE_ID")])
def test_the_instance_may_be_said_outside(tmp_path: Path, variable: str) -> None:
    found = top(tmp_path, {variable: "i-2"})
    assert (found.register["name"], found.service["id"]) == ("i-2", "i-2")


@pytest.mark.parametrize("option", [pytest.param("i-3", id="A3 -i")])
def test_the_instance_may_be_said_by_an_option(tmp_path: Path, option: str) -> None:
    top(tmp_path)
    found = wrote(tmp_path / "nerve.conf.json", {"NERVE_INSTANCE_ID": "i-2"}, instance=option)
    assert (found.register["name"], found.service["id"]) == ("i-3", "i-3")


def test_a_name_that_cannot_be_ours_is_made_one(tmp_path: Path) -> None:
    found = top(tmp_path, services={"web main": SERVICE, "web-main": SERVICE})
    assert any('service "web main" is called web-main here' in note for note in found.notes)
    assert [text for text in found.problems if "another service is called web-main too" in text]
