"""What a service of Synapse says beside its discovery, and several discoveries at once (reference, A2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.synapse_written import DOCKER, EC2, ENSEMBLE, MARATHON, NAMES, SERVERS, STUB, part, web

FALLBACK = [{"address": "10.0.0.1", "port": 80, "name": "one"}]
OTHER = ENSEMBLE | {"path": "/other"}
LABELLED = {"label_filters": [{"label": "az", "value": "a", "condition": "equals"}]}


@pytest.mark.parametrize(
    ("keys", "service"),
    [
        pytest.param({}, {"from": {"path": ENSEMBLE["path"]}}, id="A2 service: discovery"),
        pytest.param({"default_servers": SERVERS}, {"fallback": FALLBACK}, id="A2 service: default_servers"),
        pytest.param(
            {"default_servers": SERVERS, "keep_default_servers": True},
            {"fallback": FALLBACK, "fallback-always": True},
            id="A2 service: keep_default_servers",
        ),
        pytest.param({}, {"keep-last": True}, id="A2 service: use_previous_backends, by default"),
        pytest.param({"backend_port_override": 81}, {"from": {"port": 81}}, id="A2 service: backend_port_override"),
        pytest.param(
            {"backend_port_override": "81"}, {"from": {"port": 81}}, id="A2 service: backend_port_override as text"
        ),
        pytest.param(
            {"backend_port_override": 81, "default_servers": [{"host": "10.0.0.1"}]},
            {"fallback": [{"address": "10.0.0.1", "port": 81}]},
            id="A2 service: backend_port_override of default_servers without a port",
        ),
        pytest.param(
            {"backend_port_override": 81, "default_servers": SERVERS, "keep_default_servers": True},
            {"fallback": [{"address": "10.0.0.1", "port": 81}]},
            id="A2 service: backend_port_override of default_servers that are kept",
        ),
        pytest.param({"leader_election": True}, {"only": "leader"}, id="A2 service: leader_election"),
        pytest.param({"haproxy": {}}, {"raw": {}}, id="A2 service: haproxy"),
    ],
)
def test_a_key(tmp_path: Path, keys: Any, service: Any) -> None:
    found = web(tmp_path, ENSEMBLE, **keys)
    assert not found.problems
    assert part(found.service, service), found.service


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"use_previous_backends": False}, id="A2 service: use_previous_backends false"),
        pytest.param({"default_servers": SERVERS}, id="A2 behaviour: default_servers before previous ones"),
    ],
)
def test_the_last_known_do_not_go_on(tmp_path: Path, keys: Any) -> None:
    found = web(tmp_path, ENSEMBLE, **keys)
    assert not found.problems
    assert "keep-last" not in found.service


@pytest.mark.parametrize(
    ("discovery", "keys", "keep", "note"),
    [
        pytest.param(
            DOCKER, {}, False, "do not go on as the last known", id="A2 behaviour: containers that are gone are gone"
        ),
        pytest.param(
            DOCKER,
            {"use_previous_backends": True},
            True,
            "",
            id="A2 behaviour: containers that are gone, use_previous_backends true",
        ),
        pytest.param(
            {"method": "multi", "watchers": {"a": DOCKER, "b": ENSEMBLE}, "resolver": {"method": "union"}},
            {},
            True,
            "",
            id="A2 behaviour: containers and others",
        ),
    ],
)
def test_who_is_gone_from_an_engine_goes_on_only_if_the_file_says_so(
    tmp_path: Path, discovery: Any, keys: Any, keep: bool, note: str
) -> None:
    """An engine tells of all its containers, and gives the address of one that is gone to the next."""
    found = web(tmp_path, discovery, **keys)
    assert not found.problems
    assert found.service.get("keep-last", False) is keep
    assert note in "\n".join(found.notes)


@pytest.mark.parametrize("count", [pytest.param(3, id="A2 service: load_test_concurrency")])
def test_the_concurrency_of_load_tests_has_no_effect(tmp_path: Path, count: int) -> None:
    found = web(tmp_path, ENSEMBLE, load_test_concurrency=count)
    assert not found.problems
    assert "load_test_concurrency: has no effect" in "\n".join(found.notes)


def test_a_stub_without_servers_says_so(tmp_path: Path) -> None:
    found = web(tmp_path, STUB)
    assert found.service["endpoints"] == []
    assert not found.problems
    assert "it answers 503" in "\n".join(found.notes)


def test_default_servers_that_a_filter_excludes_are_left_out(tmp_path: Path) -> None:
    labelled = {"host": "10.0.0.2", "port": 80, "labels": {"az": "a"}}
    found = web(tmp_path, ENSEMBLE | LABELLED, default_servers=[*SERVERS, labelled])
    assert [each["address"] for each in found.service["fallback"]] == ["10.0.0.2"]
    assert "has not the labels that label_filters ask for" in "\n".join(found.notes)


def test_a_server_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    found = web(tmp_path, ENSEMBLE, default_servers=[*SERVERS, {"name": "two", "host": "10.0.0.1", "port": 80}])
    assert not found.problems
    assert found.service["fallback"] == FALLBACK
    assert "10.0.0.1:80 is listed twice" in "\n".join(found.notes)


def test_options_of_one_server(tmp_path: Path) -> None:
    server = {"host": "10.0.0.1", "port": 80, "haproxy_server_options": "check weight 7 backup maxconn 9"}
    found = web(tmp_path, ENSEMBLE, default_servers=[server])
    assert part(found.service["fallback"], [{"weight": 7, "backup": True}])
    assert '"maxconn 9" cannot be said of one server' in "\n".join(found.notes)


@pytest.mark.parametrize("discovery", [DOCKER, MARATHON])
def test_a_port_for_all_is_passed_over_where_each_has_its_own(tmp_path: Path, discovery: Any) -> None:
    found = web(tmp_path, discovery, backend_port_override=81)
    assert not found.problems
    assert found.service["from"].get("port") != 81
    assert "backend_port_override: is passed over" in "\n".join(found.notes)


def test_addresses_of_a_discovery_are_always_there(tmp_path: Path) -> None:
    servers = [{"host": "10.0.0.9", "port": 80}, {"host": "a.test", "port": 80}]
    found = web(tmp_path, {"method": "dns", "servers": servers}, default_servers=SERVERS)
    assert part(found.service, {"fallback": [{"address": "10.0.0.9"}], "fallback-always": True})
    assert "are never needed" in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("discovery", "note"),
    [
        pytest.param(DOCKER, "elects the smallest address", id="containers have no numbers"),
        pytest.param(
            {"method": "multi", "watchers": {"a": ENSEMBLE, "b": OTHER}, "resolver": {"method": "union"}},
            "elects one of all",
            id="one leader of several watchers",
        ),
    ],
)
def test_an_election_that_is_another_says_so(tmp_path: Path, discovery: Any, note: str) -> None:
    found = web(tmp_path, discovery, leader_election=True)
    assert found.service["only"] == "leader"
    assert note in "\n".join(found.notes)


TWO_ENGINES = DOCKER | {"servers": [{"host": "e1"}, {"host": "e2"}]}
ADDRESSES = {"method": "dns", "servers": [{"host": "10.0.0.9", "port": 80}]}


def multi(resolver: Any, **watchers: Any) -> dict[str, Any]:
    return {"method": "multi", "watchers": watchers, "resolver": resolver}


S3 = {"method": "s3_toggle", "s3_url": "s3://bucket/key", "s3_polling_interval_seconds": 60}


@pytest.mark.parametrize(
    ("discovery", "service"),
    [
        pytest.param(
            multi({"method": "union"}, a=ENSEMBLE, b=MARATHON),
            {"from": [{"source": "zookeeper-zk1"}, {"source": "marathon-m1"}]},
            id="A2 discovery multi: union",
        ),
        pytest.param(
            multi({"method": "union"}, a=ENSEMBLE, b=ADDRESSES),
            {"from": {"source": "zookeeper-zk1"}, "fallback": [{"address": "10.0.0.9"}], "fallback-always": True},
            id="A2 discovery multi: union with addresses",
        ),
        pytest.param(
            multi({"method": "sequential", "sequential_order": ["b", "a"]}, a=ENSEMBLE, b=NAMES),
            {"from": [{"source": "dns-10.0.0.2"}, {"source": "zookeeper-zk1"}], "from-first": True},
            id="A2 discovery multi: sequential, sequential_order",
        ),
        pytest.param(
            multi({"method": "sequential", "sequential_order": ["a", "b"]}, a=TWO_ENGINES, b=NAMES),
            {"from": [{"as": "a"}, {"as": "a"}, {"as": "b"}], "from-first": True},
            id="A2 discovery multi: sequential, a watcher of several engines",
        ),
        pytest.param(
            multi({"method": "sequential", "sequential_order": ["a", "b"]}, a=ENSEMBLE, b=ADDRESSES),
            {"from": {"source": "zookeeper-zk1"}, "fallback": [{"address": "10.0.0.9"}]},
            id="A2 discovery multi: sequential, addresses last",
        ),
        pytest.param(
            multi(S3, primary=ENSEMBLE, b=OTHER),
            {
                "from": [{"path": ENSEMBLE["path"], "as": "primary"}, {"path": "/other", "as": "b"}],
                "from-toggle": {"url": "s3://bucket/key", "interval": "60s"},
            },
            id="A2 discovery multi: s3_toggle, s3_url, s3_polling_interval_seconds",
        ),
        pytest.param(
            multi(S3 | {"s3_polling_interval_seconds": 0.2}, primary=ENSEMBLE, b=OTHER),
            {"from-toggle": {"interval": "1s"}},
            id="A2 discovery multi: s3_polling_interval_seconds below 1",
        ),
        pytest.param(
            multi({"method": "base"}, a=ENSEMBLE), {"endpoints": []}, id="A2 discovery multi: base, which finds nothing"
        ),
        pytest.param(
            multi({"method": "union"}, a=ENSEMBLE | LABELLED, b=OTHER),
            {"from": [{"label": "az=a"}, {"path": "/other"}]},
            id="A2 discovery multi: watchers with filters of their own",
        ),
    ],
)
def test_several_discoveries(tmp_path: Path, discovery: Any, service: Any) -> None:
    found = web(tmp_path, discovery)
    assert not found.problems
    assert part(found.service, service), found.service


@pytest.mark.parametrize("key", [pytest.param("discovery_multi", id="A2 service: discovery_multi")])
def test_discovery_is_the_primary_one_of_discovery_multi(tmp_path: Path, key: str) -> None:
    extra = {"resolver": {"method": "sequential", "sequential_order": ["primary", "b"]}, "watchers": {"b": OTHER}}
    found = web(tmp_path, ENSEMBLE, **{key: extra})
    assert not found.problems
    assert [item["path"] for item in found.service["from"]] == [ENSEMBLE["path"], "/other"]


def test_filters_of_all_watchers_hold_for_each(tmp_path: Path) -> None:
    found = web(tmp_path, multi({"method": "union"}, a=ENSEMBLE, b=OTHER) | LABELLED)
    assert [item["label"] for item in found.service["from"]] == ["az=a", "az=a"]
    assert "holds for each of the watchers" in "\n".join(found.notes)


def test_addresses_that_are_written_down_end_an_order(tmp_path: Path) -> None:
    resolver = {"method": "sequential", "sequential_order": ["a", "b", "c"]}
    found = web(tmp_path, multi(resolver, a=ENSEMBLE, b=ADDRESSES, c=OTHER))
    assert not found.problems
    assert "fallback-always" not in found.service
    assert part(found.service, {"from": {"path": ENSEMBLE["path"]}})
    assert '"c" never has its turn' in "\n".join(found.notes)


def test_addresses_that_are_written_down_cannot_be_chosen_elsewhere(tmp_path: Path) -> None:
    found = web(tmp_path, multi(S3, primary=ENSEMBLE, b=ADDRESSES))
    assert 'cannot choose "b"' in found.problems[0]


def test_ports_of_machines_hold_within_several(tmp_path: Path) -> None:
    found = web(tmp_path, multi({"method": "union"}, a=EC2, b=ENSEMBLE), backend_port_override=81)
    assert not found.problems
    assert [item["port"] for item in found.service["from"]] == [81, 81]
