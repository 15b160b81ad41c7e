"""Which files are read, what is refused and where, and that one broken service stops no other."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from tests.compat.synapse_written import DOCKER, ENSEMBLE, HAPROXY, MARATHON, SERVERS, STUB, result, web, written

GOOD = {"default_servers": SERVERS, "discovery": STUB, "haproxy": {"port": 1}}


def put(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data, indent=1))
    return path


@pytest.mark.parametrize("key", [pytest.param("service_conf_dir", id="A2 service_conf_dir")])
def test_each_file_of_the_folder_is_a_service(tmp_path: Path, key: str) -> None:
    put(tmp_path / "services" / "one.json", GOOD)
    put(tmp_path / "services" / "two.yaml", "discovery: {method: base}\ndefault_servers: [{host: h.test, port: 2}]\n")
    put(tmp_path / "services" / "README.md", "no service")
    found = result(put(tmp_path / "synapse.json", {key: "services", "haproxy": HAPROXY}))
    assert not found.problems
    assert set(found.document.data["services"]) == {"one", "two"}
    assert str(found.document.place(("services", "two"))) == f"{tmp_path}/services/two.yaml:1:1"


def test_a_file_of_its_own_wins_over_the_main_file(tmp_path: Path) -> None:
    put(tmp_path / "services" / "one.json", GOOD | {"haproxy": {"port": 2}})
    main = {"service_conf_dir": str(tmp_path / "services"), "services": {"one": GOOD}, "haproxy": HAPROXY}
    found = result(put(tmp_path / "synapse.json", main))
    assert found.document.data["services"]["one"]["listen"] == "127.0.0.1:2"
    assert "service one is passed over: it has a file of its own" in "\n".join(found.notes)


def test_one_broken_file_stops_no_other(tmp_path: Path) -> None:
    put(tmp_path / "services" / "bad.json", '{"discovery": {\n  "method": }')
    put(tmp_path / "services" / "ruby.json", '{"port": <%= 1 %>}')
    put(tmp_path / "services" / "text.yaml", "just text")
    put(tmp_path / "services" / "empty.json", "")
    put(tmp_path / "services" / "good.json", GOOD)
    found = result(put(tmp_path / "synapse.json", {"service_conf_dir": "services", "haproxy": HAPROXY}))
    assert list(found.loaded.config.services) == ["good"]
    places = {problem.service: str(problem.place) for problem in found.loaded.set_aside}
    assert places == {
        "bad": f"{tmp_path}/services/bad.json:2:14",
        "empty": f"{tmp_path}/services/empty.json:1:1",
        "ruby": f"{tmp_path}/services/ruby.json:1:10",
        "text": f"{tmp_path}/services/text.yaml:1:1",
    }


def test_a_folder_with_a_main_file_is_that_file(tmp_path: Path) -> None:
    put(tmp_path / "synapse.conf.json", {"service_conf_dir": str(tmp_path), "haproxy": HAPROXY})
    put(tmp_path / "one.json", GOOD)
    found = result(tmp_path)
    assert not found.problems
    assert list(found.loaded.config.services) == ["one"]


def test_a_folder_of_services_needs_no_main_file(tmp_path: Path) -> None:
    put(tmp_path / "one.json", GOOD)
    put(tmp_path / "two.yml", "discovery: {method: base}\n")
    found = result(tmp_path)
    assert not found.problems
    assert set(found.loaded.config.services) == {"one", "two"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param({}, "holds no configuration of Synapse", id="an empty folder"),
        pytest.param({"a.json": {"services": {}}, "b.json": {"services": {}}}, "b.json:0", id="two main files"),
    ],
)
def test_a_folder_that_makes_no_sense(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    for name, data in files.items():
        put(tmp_path / name, data)
    found = result(tmp_path)
    assert found.loaded.valid is None
    assert said.removesuffix(":0") in found.problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", ": is empty; is this the right file?", id="empty"),
        pytest.param("[]", ":1:1: expected a mapping with `services` and `haproxy`", id="a list"),
        pytest.param('{"a": <%= x %>}', ":1:7: holds ERB (`<%`), which is a program in Ruby", id="A2 ERB"),
        pytest.param('{"discovery": {}}', ":1:1: is one service, expected", id="a service in place of all"),
        pytest.param(
            '{"services": {}, "haproxi": {}}',
            ':1:18: haproxi is not a key that is known here; did you mean "haproxy"?',
            id="unknown",
        ),
        pytest.param('{"services": {}, "nginx": {}}', "longshore drives HAProxy only", id="another generator"),
        pytest.param('{"services": []}', "services must be a mapping, not a list", id="services"),
        pytest.param(
            '{"haproxy": {"global": []}}', ":1:2: haproxy.defaults is missing", id="A2 haproxy: defaults missing"
        ),
        pytest.param(
            '{"haproxy": {"global": [], "defaults": [], "do_write": 1}}',
            'did you mean "do_writes"?',
            id="unknown, of haproxy",
        ),
        pytest.param(
            '{"haproxy": {"global": [], "defaults": [], "do_writes": 7}}',
            ":1:57: haproxy.do_writes must be true or false, not the number 7",
            id="no switch",
        ),
        pytest.param(
            '{"service_conf_dir": "nowhere"}', "service_conf_dir: there is no folder nowhere", id="no such folder"
        ),
        pytest.param(
            '{"haproxy": {"global": ["stats bind-process 1"], "defaults": [{}]}}',
            ":1:63: haproxy.defaults[0] must be text, not a mapping",
            id="a line that is none",
        ),
    ],
)
def test_what_concerns_all_stops_it(tmp_path: Path, text: str, problem: str) -> None:
    found = result(put(tmp_path / "synapse.json", text))
    assert found.loaded.valid is None
    assert any(problem in each for each in found.problems), found.problems


@pytest.mark.parametrize("inner", [True, False])
def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: bool) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "services").mkdir()
    main = put(tmp_path / "synapse.json", {"service_conf_dir": "services", "haproxy": HAPROXY})
    monkeypatch.setattr(Path, "iterdir", refuse)
    (problem,) = result(main if inner else tmp_path).problems
    where = f"{main}:2:22: service_conf_dir: {tmp_path}/services" if inner else f"{tmp_path}:"
    assert problem.startswith(f"{where} cannot be read: permission denied")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert result(tmp_path / "none.json").problems == [f"{tmp_path}/none.json: does not exist"]


def test_json_with_tabs_and_merge_keys_of_yaml(tmp_path: Path) -> None:
    assert not result(
        put(tmp_path / "a.json", '{\n\t"services":\t{},\n\t"haproxy": {"global": [],\t"defaults": []}\n}')
    ).problems
    text = "x: &b {method: base}\nservices: {web: {discovery: {<<: *b}}}\n"
    found = result(put(tmp_path / "b.yaml", text))
    assert [each for each in found.problems if "x is not a key" not in each] == []


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        pytest.param({"haproxy": {}}, "services.web: discovery is missing", id="no discovery"),
        pytest.param({"discovery": {"method": "dockr"}}, 'which is no method; did you mean "docker"?', id="method"),
        pytest.param({"discovery": {"method": "awstag"}}, 'did you mean "ec2tag"?', id="A2 trap: awstag"),
        pytest.param({"discovery": {"method": "zookeeper_aurora"}}, "serverset", id="A2 trap: zookeeper_aurora"),
        pytest.param({"discovery": {"path": "/x"}}, "discovery.method is missing", id="no method"),
        pytest.param({"discovery": DOCKER | {"image_name": ""}}, "discovery.image_name is empty", id="image_name"),
        pytest.param({"discovery": DOCKER | {"servers": []}}, "discovery.servers is empty", id="servers"),
        pytest.param(
            {"discovery": DOCKER | {"container_port": 70000}},
            "must be a whole number from 1 to 65535",
            id="container_port",
        ),
        pytest.param({"discovery": DOCKER | {"container_prt": 1}}, 'did you mean "container_port"?', id="unknown"),
        pytest.param({"discovery": DOCKER | {"servers": [{"hots": "x"}]}}, 'did you mean "host"?', id="unknown, deep"),
        pytest.param({"discovery": ENSEMBLE | {"path": None}}, "discovery.path is empty", id="path"),
        pytest.param(
            {"discovery": ENSEMBLE | {"decode": {"method": "thrift"}}}, "known are: nerve, serverset", id="decode"
        ),
        pytest.param(
            {"discovery": ENSEMBLE | {"label_filters": [{"label": "a", "value": "b", "condition": "equal"}]}},
            'did you mean "equals"?',
            id="A2 label_filters: unknown condition",
        ),
        pytest.param(
            {"discovery": {"method": "dns", "servers": [{"host": "a.test"}]}},
            "discovery.servers[0] says no port",
            id="dns port",
        ),
        pytest.param(
            {"discovery": {"method": "ec2tag", "tag_name": "a", "tag_value": "b"}},
            "needs backend_port_override",
            id="A2 discovery ec2tag: backend_port_override",
        ),
        pytest.param({"discovery": MARATHON | {"marathon_api_url": ""}}, "marathon_api_url is empty", id="marathon"),
        pytest.param(
            {"discovery": {"method": "multi", "watchers": {"a": ENSEMBLE}, "resolver": {"method": "fallback"}}},
            'did you mean the resolver "sequential"?',
            id="resolver",
        ),
        pytest.param(
            {
                "discovery": {
                    "method": "multi",
                    "watchers": {"a": ENSEMBLE, "b": DOCKER},
                    "resolver": {"method": "sequential", "sequential_order": ["a", "c"]},
                }
            },
            'names "c", which is no watcher',
            id="sequential_order",
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "leader_election": "maybe"}, "must be true or false", id="leader_election"
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "backend_port_override": "http"}, "backend_port_override must be", id="override"
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "default_server": []}, 'did you mean "default_servers"?', id="unknown key"
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "default_servers": [{"host": "a"}]}, "[0].port is missing", id="default port"
        ),
        pytest.param(
            {"discovery": DOCKER | {"servers": [{"host": "10.0.0.1:2375"}]}}, "is a key of its own", id="engine's port"
        ),
        pytest.param({"discovery": ENSEMBLE, "haproxy": {"port": "http"}}, "haproxy.port must be", id="port"),
        pytest.param({"discovery": ENSEMBLE, "haproxy": {"port": None}}, "needs a bind_address", id="port null"),
        pytest.param(
            {"discovery": ENSEMBLE, "haproxy": {"port": 1, "bind_address": "web.test"}}, "web.test:1", id="bind_address"
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "haproxy": {"listen": ["blance x"]}}, 'HAProxy knows no "blance"', id="line"
        ),
        pytest.param({"discovery": ENSEMBLE, "haproxy": {"backend_order": "up"}}, "known are: asc", id="backend_order"),
        pytest.param(
            {"discovery": ENSEMBLE, "haproxy": {"shared_frontend": ["acl"]}}, "no shared frontend", id="shared"
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "haproxy": {"backend": ["option lb-agent-chk"]}},
            "lb-agent-chk",
            id="a line refused",
        ),
        pytest.param(
            {"discovery": ENSEMBLE, "haproxy": {"server_options": ["x"]}}, "must be text", id="server_options"
        ),
    ],
)
def test_what_is_wrong_with_a_service_sets_it_aside(tmp_path: Path, keys: Any, problem: str) -> None:
    found = written(tmp_path, services={"good": GOOD, "web": keys})
    assert list(found.loaded.config.services) == ["good"]
    (said,) = {each.service for each in found.loaded.set_aside}
    assert said == "web"
    assert any(problem in each for each in found.problems), found.problems


@pytest.mark.parametrize(
    ("discovery", "said"),
    [
        pytest.param(DOCKER | {"servers": [{"host": "no host"}]}, "expected an engine's address", id="engine"),
        pytest.param(ENSEMBLE | {"hosts": ["zk 1:2181"]}, "is not the host and port of a server", id="ensemble"),
        pytest.param(MARATHON | {"marathon_api_url": "ftp://m"}, "is not an address like", id="API"),
    ],
)
def test_a_place_that_cannot_be_reached_concerns_only_who_is_found_there(
    tmp_path: Path, discovery: Any, said: str
) -> None:
    found = written(tmp_path, services={"good": GOOD, "web": {"discovery": discovery, "haproxy": {}}})
    assert list(found.loaded.config.services) == ["good"]
    assert [each.service for each in found.loaded.set_aside] == ["web"]
    assert said in found.problems[0]


@pytest.mark.parametrize("broken", [{"discovery": {"method": "dockr"}}, {"discovery": ENSEMBLE | {"path": "a b"}}])
@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_who_is_set_aside_and_led_to_keeps_a_backend(tmp_path: Path, broken: Any, mode: str) -> None:
    """HAProxy would refuse everything for one `use_backend` that leads nowhere."""
    sections = {"frontend in": [f"mode {mode}", "bind :80", "use_backend web if TRUE"]}
    services = {"web": broken | {"haproxy": {}}, "other": broken | {"haproxy": {}}}
    found = written(tmp_path, services=services, haproxy=HAPROXY | {"extra_sections": sections})
    kept = found.loaded.config.services
    assert list(kept) == ["web"]
    raw = kept["web"].raw
    assert raw is not None
    assert (kept["web"].endpoints, raw.mode) == ((), "tcp" if mode == "tcp" else None)
    assert {each.service for each in found.loaded.set_aside} == {"web", "other"}


def test_complaints_name_the_line(tmp_path: Path) -> None:
    found = web(tmp_path, DOCKER | {"container_port": "no"})
    lines = (tmp_path / "synapse.conf.json").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "container_port" in text)
    assert found.problems[0].startswith(f"{tmp_path}/synapse.conf.json:{line}:{lines[line - 1].index('no')}")


@pytest.mark.parametrize("top", [{}, {"extra_sections": {"listen stats": ["bind localhost:80"]}}])
def test_two_on_one_port(tmp_path: Path, top: Any) -> None:
    """The first has it; the second is set aside, and told who has it."""
    services = {name: {"discovery": ENSEMBLE, "haproxy": {"port": 80}} for name in ("a", "b")}
    found = written(tmp_path, services=services, haproxy=HAPROXY | top)
    assert list(found.loaded.config.services) == ([] if top else ["a"])
    owner = '"listen stats"' if top else "service a"
    assert f"127.0.0.1:80 is taken already by {owner} ({tmp_path}/synapse.conf.json:" in found.problems[-1]
