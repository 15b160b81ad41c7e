"""Synapse's discovery methods, option by option (reference, A2): the items of `from`, and the sources they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.synapse_written import DOCKER, EC2, ENSEMBLE, MARATHON, NAMES, SERVERS, STUB, Read, part, web, written


@pytest.mark.parametrize(
    ("discovery", "keys", "service", "sources"),
    [
        pytest.param(
            STUB,
            {"default_servers": SERVERS},
            {"endpoints": [{"address": "10.0.0.1", "port": 80, "name": "one"}]},
            {},
            id="A2 discovery base",
        ),
        pytest.param(
            DOCKER | {"servers": [{"name": "a", "host": "localhost"}]},
            {},
            {"from": {"source": "docker-localhost"}},
            {"docker-localhost": {"type": "docker", "host": "tcp://localhost:4243"}},
            id="A2 discovery docker: servers, port 4243",
        ),
        pytest.param(
            DOCKER | {"servers": [{"host": "e1", "port": 2375}, {"host": "fd00::1"}]},
            {},
            {"from": [{"source": "docker-e1"}, {"source": "docker-fd00-1"}]},
            {"docker-e1": {"host": "tcp://e1:2375"}, "docker-fd00-1": {"host": "tcp://[fd00::1]:4243"}},
            id="A2 discovery docker: servers, several",
        ),
        pytest.param(DOCKER, {}, {"from": {"image": "local/app"}}, {}, id="A2 discovery docker: image_name"),
        pytest.param(DOCKER, {}, {"from": {"port": 8000}}, {}, id="A2 discovery docker: container_port"),
        pytest.param(
            DOCKER | {"container_port": "8000"},
            {},
            {"from": {"port": 8000}},
            {},
            id="A2 discovery docker: port as text",
        ),
        pytest.param(
            NAMES,
            {},
            {"from": {"source": "dns-10.0.0.2", "name": "web.test", "port": 80}},
            {"dns-10.0.0.2": {"type": "dns", "nameservers": ["10.0.0.2"]}},
            id="A2 discovery dns: servers, nameserver",
        ),
        pytest.param(
            {"method": "dns", "servers": [{"host": "a.test", "port": 1}, {"host": "b.test", "port": 2}]},
            {},
            {"from": [{"name": "a.test", "port": 1}, {"name": "b.test", "port": 2}]},
            {"dns-system": {"type": "dns"}},
            id="A2 discovery dns: servers, several, the system's nameserver",
        ),
        pytest.param(
            {"method": "dns", "servers": ["a.test", "10.0.0.9"]},
            {"backend_port_override": 80},
            {"from": {"name": "a.test", "port": 80}, "fallback": [{"address": "10.0.0.9", "port": 80}]},
            {},
            id="A2 discovery dns: servers, bare names and addresses",
        ),
        pytest.param(
            {"method": "dns", "servers": [{"host": "10.0.0.9", "port": 81}, {"host": "10.0.0.8", "port": 81}]},
            {},
            {"endpoints": [{"address": "10.0.0.9", "port": 81}, {"address": "10.0.0.8", "port": 81}]},
            {},
            id="A2 discovery dns: servers, addresses only",
        ),
        pytest.param(
            {
                "method": "dns",
                "servers": [
                    {"host": "a.test", "port": 80, "labels": {"tier": "web"}},
                    {"host": "b.test", "port": 80, "labels": {"tier": "db"}},
                ],
                "label_filters": [{"label": "tier", "value": "web", "condition": "equals"}],
            },
            {},
            {"from": {"name": "a.test"}},
            {},
            id="A2 discovery dns: labels",
        ),
        pytest.param(
            EC2,
            {"backend_port_override": 8000},
            {"from": {"source": "ec2-eu-west-1", "label": "role=web", "port": 8000}},
            {"ec2-eu-west-1": {"type": "ec2", "region": "eu-west-1"}},
            id="A2 discovery ec2tag: tag_name, tag_value, aws_region",
        ),
        pytest.param(
            EC2 | {"aws_access_key_id": "AKIA1", "aws_secret_access_key": "s3", "check_interval": 60},
            {"backend_port_override": "8000"},
            {"from": {"port": 8000}},
            {"ec2-eu-west-1": {"access-key-id": "AKIA1", "secret-access-key": "s3", "interval": "60s"}},
            id="A2 discovery ec2tag: aws_access_key_id, aws_secret_access_key, check_interval",
        ),
        pytest.param(
            EC2 | {"check_interval": 0},
            {"backend_port_override": 80},
            {},
            {"ec2-eu-west-1": {"interval": "1s"}},
            id="A2 discovery ec2tag: check_interval 0",
        ),
        pytest.param(
            {"method": "ec2tag", "tag_name": "role", "tag_value": "web"},
            {"backend_port_override": 80},
            {},
            {"ec2": {"type": "ec2"}},
            id="A2 discovery ec2tag: the environment's region and credentials",
        ),
        pytest.param(
            ENSEMBLE,
            {},
            {"from": {"source": "zookeeper-zk1", "path": "/nerve/services/web/services"}},
            {"zookeeper-zk1": {"type": "zookeeper", "hosts": ["zk1:2181"], "layout": "nerve", "find": "named"}},
            id="A2 discovery zookeeper: hosts, path",
        ),
        pytest.param(
            ENSEMBLE | {"hosts": ["zk2", "zk1:2182"]},
            {},
            {"from": {"source": "zookeeper-zk1"}},
            {"zookeeper-zk1": {"hosts": ["zk1:2182", "zk2:2181"]}},
            id="A2 discovery zookeeper: hosts, without a port",
        ),
        pytest.param(
            ENSEMBLE | {"hosts": "zk1:2181,zk2:2181/smart"},
            {},
            {"from": {"path": "/smart/nerve/services/web/services"}},
            {"zookeeper-zk1": {"hosts": ["zk1:2181", "zk2:2181"]}},
            id="A2 discovery zookeeper: hosts, with a path behind the last",
        ),
        pytest.param(
            ENSEMBLE | {"decode": {"method": "serverset", "endpoint_name": "http"}},
            {},
            {},
            {"zookeeper-zk1": {"layout": "serverset", "endpoint": "http"}},
            id="A2 discovery zookeeper: decode",
        ),
        pytest.param(
            ENSEMBLE | {"generator_config_path": "disabled"},
            {},
            {},
            {},
            id="A2 discovery zookeeper: no generator_config_path",
        ),
        pytest.param(
            ENSEMBLE | {"method": "zookeeper_poll", "polling_interval_sec": 5},
            {},
            {"from": {"source": "zookeeper-zk1"}},
            {"zookeeper-zk1": {"layout": "nerve"}},
            id="A2 discovery zookeeper_poll",
        ),
        pytest.param(
            ENSEMBLE | {"method": "zookeeper_dns", "nameserver": "10.0.0.2", "check_interval": 5},
            {},
            {"from": {"source": "zookeeper-zk1", "nameserver": "10.0.0.2"}},
            {},
            id="A2 discovery zookeeper_dns: nameserver",
        ),
        pytest.param(
            ENSEMBLE | {"method": "zookeeper_dns_poll", "polling_interval_sec": 5},
            {},
            {"from": {"source": "zookeeper-zk1"}},
            {},
            id="A2 discovery zookeeper_dns_poll",
        ),
        pytest.param(
            MARATHON,
            {},
            {"from": {"source": "marathon-m1", "app": "prod/web"}},
            {"marathon-m1": {"type": "marathon", "url": "http://m1:8080"}},
            id="A2 discovery marathon: marathon_api_url, application_name",
        ),
        pytest.param(
            MARATHON | {"marathon_api_path": "/m/v2/apps/%{app}/tasks", "port_index": 1, "check_interval": 2.5},
            {},
            {"from": {"port-index": 1}},
            {"marathon-m1": {"path": "/m/v2/apps/{app}/tasks", "interval": "2.5s"}},
            id="A2 discovery marathon: marathon_api_path, port_index, check_interval",
        ),
        pytest.param(
            ENSEMBLE | {"label_filters": [{"label": "az", "value": "a", "condition": "equals"}]},
            {},
            {"from": {"label": "az=a"}},
            {},
            id="A2 label_filters: equals",
        ),
        pytest.param(
            ENSEMBLE
            | {
                "label_filters": [
                    {"label": "az", "value": "a", "condition": "equals"},
                    {"label": "canary", "value": "yes", "condition": "not-equals"},
                ]
            },
            {},
            {"from": {"label": ["az=a", "canary!=yes"]}},
            {},
            id="A2 label_filters: all must hold, not-equals",
        ),
        pytest.param(
            ENSEMBLE | {"label_filter": {"label": "az", "value": "a", "condition": "equals"}},
            {},
            {"from": {"label": "az=a"}},
            {},
            id="A2 label_filter, the singular",
        ),
    ],
)
def test_a_method(tmp_path: Path, discovery: Any, keys: Any, service: Any, sources: Any) -> None:
    found = web(tmp_path, discovery, **keys)
    assert not found.problems
    assert part(found.service, service), found.service
    assert part(found.sources, sources), found.sources


@pytest.mark.parametrize(
    ("discovery", "note"),
    [
        pytest.param(
            DOCKER | {"check_interval": 15}, "check_interval: is not needed", id="A2 discovery docker: check_interval"
        ),
        pytest.param(DOCKER, "containers that do not publish it", id="A2 discovery docker: container_port"),
        pytest.param(
            NAMES | {"check_interval": 30}, "check_interval: is not needed", id="A2 discovery dns: check_interval"
        ),
        pytest.param(
            MARATHON | {"check_interval": 0.5}, "check_interval: is 1 s", id="A2 discovery marathon: check_interval 0.5"
        ),
        pytest.param(
            ENSEMBLE
            | {"retry_policy": {"max_attempts": 10, "max_delay": 600, "base_interval": 0.5, "max_interval": 60}},
            "retry_policy: is not needed",
            id="A2 discovery zookeeper: retry_policy",
        ),
        pytest.param(
            ENSEMBLE | {"discovery_jitter": 25},
            "discovery_jitter: is not needed",
            id="A2 discovery zookeeper: discovery_jitter",
        ),
        pytest.param(
            ENSEMBLE | {"generator_config_path": "/config/web"},
            "generator_config_path: is not read",
            id="A2 discovery zookeeper: generator_config_path",
        ),
        pytest.param(
            ENSEMBLE | {"method": "zookeeper_poll", "polling_interval_sec": 60},
            "polling_interval_sec: is not needed",
            id="A2 discovery zookeeper_poll: polling_interval_sec",
        ),
    ],
)
def test_what_is_not_needed_any_more_is_said(tmp_path: Path, discovery: Any, note: str) -> None:
    found = web(tmp_path, discovery)
    assert not found.problems
    assert [each for each in found.notes if note in each and each.startswith(str(tmp_path))]


def both(folder: Path, one: Any, other: Any) -> Read:
    """Two services, found in two ways."""
    services = {
        "a": {"discovery": one, "backend_port_override": 80, "haproxy": {}},
        "b": {"discovery": other, "backend_port_override": 80, "haproxy": {}},
    }
    return written(folder, services=services)


@pytest.mark.parametrize(
    ("one", "other", "sources"),
    [
        pytest.param(DOCKER, DOCKER | {"image_name": "other"}, ["docker-e1"], id="one engine"),
        pytest.param(
            DOCKER, DOCKER | {"servers": [{"host": "e1", "port": 1}]}, ["docker-e1", "docker-e1-2"], id="two of a host"
        ),
        pytest.param(ENSEMBLE, ENSEMBLE | {"path": "/x"}, ["zookeeper-zk1"], id="one ensemble"),
        pytest.param(
            ENSEMBLE | {"hosts": ["zk2:1", "zk1:1"]},
            ENSEMBLE | {"hosts": ["zk1:1", "zk2:1"]},
            ["zookeeper-zk1"],
            id="any order",
        ),
        pytest.param(
            ENSEMBLE,
            ENSEMBLE | {"decode": {"method": "serverset"}},
            ["zookeeper-zk1", "zookeeper-zk1-2"],
            id="two layouts",
        ),
        pytest.param(NAMES, NAMES | {"nameserver": "10.0.0.3"}, ["dns-10.0.0.2", "dns-10.0.0.3"], id="two nameservers"),
        pytest.param(EC2, EC2 | {"aws_region": "us-east-1"}, ["ec2-eu-west-1", "ec2-us-east-1"], id="two regions"),
    ],
)
def test_what_is_the_same_is_one_source(tmp_path: Path, one: Any, other: Any, sources: list[str]) -> None:
    found = both(tmp_path, one, other)
    assert not found.problems
    assert list(found.sources) == sources


def test_what_a_node_says_for_haproxy_is_not_read(tmp_path: Path) -> None:
    found = written(tmp_path, services={"web": {"discovery": ENSEMBLE}})
    assert not found.problems
    assert "discovery.path: what stands in this node for HAProxy is not read" in "\n".join(found.notes)
    assert "discovery.path" not in "\n".join(web(tmp_path, ENSEMBLE).notes)


def test_weights_of_entries_count_which_is_said_once(tmp_path: Path) -> None:
    found = both(tmp_path, ENSEMBLE, ENSEMBLE)
    assert len([note for note in found.notes if "weights that entries in ZooKeeper say count" in note]) == 1
    assert "in ZooKeeper say count" not in "\n".join(web(tmp_path, ENSEMBLE, top={"use_nerve_weights": True}).notes)


def test_a_name_without_a_dot_is_not_searched_for(tmp_path: Path) -> None:
    found = web(tmp_path, {"method": "dns", "servers": [{"host": "db", "port": 80}]})
    assert 'no search domain is added to "db"' in "\n".join(found.notes)


def test_containers_can_be_asked_for_labels(tmp_path: Path) -> None:
    """Synapse knew no labels of containers: every condition but `not-equals` left none."""
    found = web(tmp_path, DOCKER | {"label_filter": {"label": "a", "value": "b", "condition": "equals"}})
    assert found.service["from"]["label"] == "a=b"
    assert "asks for labels of containers" in "\n".join(found.notes)
