"""`import`: a forerunner's configuration as a longshore.yaml that means the same."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.cli.app import run
from longshore.compat import docker_register, nerve, registrator, synapse
from longshore.config import load
from longshore.config.document import Document
from tests.cli.conftest import Command
from tests.cli.containers import inspected
from tests.compat.synapse_written import DOCKER, EC2, ENSEMBLE, HAPROXY, MARATHON, NAMES, SERVERS, STUB

WEB: dict[str, Any] = {"discovery": DOCKER, "haproxy": {"port": 8080, "listen": ["mode http", "option httpchk /up"]}}
RAW = {
    "port": 8081,
    "bind_address": "127.0.0.2",
    "bind_options": "maxconn 10 process 1",
    "server_options": "check inter 2s rise 3 fall 2",
    "listen": [
        "mode http",
        r"reqrep ^([^\ :]*)\ /static/(.*) \1\ /\2",
        "cookie SRV insert",
        'http-request deny if { hdr(x) "a # b" }',
    ],
    "backend": ["balance leastconn", "http-response set-header X '%[srv_name]: on'"],
    "backend_name": "other",
    "cookie_value_method": "hash",
}
TOP = HAPROXY | {
    "global": ["log 127.0.0.1 local0", "maxconn 4096", "user haproxy", "nbproc 2"],
    "defaults": ["mode http", "contimeout 5000", "option dontlognull"],
    "extra_sections": {"listen stats :3212": ["mode http", "stats enable", "stats uri /"]},
    "shared_frontend": ["bind :8082", "mode http"],
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "docker": {"web": WEB},
    "base: default_servers": {"web": {"discovery": STUB, "default_servers": SERVERS, "haproxy": {"port": 8080}}},
    "zookeeper": {"web": {"discovery": ENSEMBLE, "haproxy": {"port": 8080}}},
    "dns": {"web": {"discovery": NAMES, "haproxy": {"port": 8080}}},
    "ec2tag": {"web": {"discovery": EC2, "haproxy": {"port": 8080, "server_port_override": "80"}}},
    "marathon": {"web": {"discovery": MARATHON, "default_servers": SERVERS, "haproxy": {"port": 8080}}},
    "haproxy lines": {"web": {"discovery": DOCKER, "haproxy": RAW}},
    "haproxy shared_frontend": {
        "web": {"discovery": DOCKER, "haproxy": {"shared_frontend": ["acl a hdr(host) a", "use_backend web if a"]}}
    },
    "file_output": {"web": WEB | {"file_output": {"disabled": True}}, "db": WEB | {"haproxy": {"port": 8090}}},
}


def config(folder: Path, services: dict[str, Any], **sections: Any) -> Path:
    """A configuration of Synapse's."""
    path = folder / "synapse.json"
    whole = {"services": services, "haproxy": TOP, "file_output": {"output_directory": "/var/lib/x"}} | sections
    path.write_text(json.dumps(whole, indent=2))
    return path


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("LONGSHORE_", "DOCKER_", "ETCD_", "HOST_IP"))]:
        monkeypatch.delenv(name)


def means_the_same(reader: Callable[[], Document], made: Path) -> None:
    """Loading the file that was made gives what the forerunner's own configuration gives."""
    theirs, ours = load(None, os.environ, foreign=reader), load(made, os.environ)
    assert ours.problems == ()
    assert theirs.set_aside == ()
    assert ours.config == theirs.config
    assert ours.specs == theirs.specs
    assert ours.raw == theirs.raw
    assert [(f.name, f.spec, f.endpoints) for f in ours.fixed] == [(f.name, f.spec, f.endpoints) for f in theirs.fixed]


@pytest.mark.parametrize("name", [pytest.param(name, id=f"A2 {name}: import") for name in EXAMPLES])
def test_what_synapse_said_means_the_same_in_our_words(name: str, tmp_path: Path, command: Command) -> None:
    path, made = config(tmp_path, EXAMPLES[name]), tmp_path / "longshore.yaml"
    ended = command("import", "synapse", str(path), "--out", str(made))
    assert (ended.code, ended.err) == (0, "")
    means_the_same(lambda: synapse.read(path, os.environ), made)
    assert command("import", "synapse", str(path)).out == made.read_text(), "in the same order each time"
    checked = command("import", "synapse", str(path), "--check")
    assert checked.code == 0, checked.err
    assert "the same: haproxy.cfg and maps for HAProxy 2.6" in checked.out
    assert "the same: haproxy.cfg and maps for HAProxy 3.4" in checked.out


def test_what_changed_its_meaning_has_a_comment_above_it(tmp_path: Path, command: Command) -> None:
    path = config(tmp_path, EXAMPLES["haproxy lines"])
    text = command("import", "synapse", str(path)).out
    above = text.partition("      - timeout connect 5000\n")[0].rpartition("defaults:\n")[2]
    said = " ".join(line.strip().removeprefix("# ") for line in above.splitlines())
    assert said.startswith(f"{path}:")
    assert said.endswith(": contimeout is `timeout connect` now")


@pytest.mark.parametrize("said", [pytest.param("ssl-server-verify none", id="A2 haproxy server_options: ssl")])
def test_servers_are_not_verified_only_where_that_was_said(said: str, tmp_path: Path, command: Command) -> None:
    services = {"web": {"discovery": DOCKER, "haproxy": {"port": 8080, "server_options": "check ssl"}}}
    for lines, expected in (([], "server: check ssl"), ([said], "server: check ssl verify none")):
        path = config(tmp_path, services, haproxy=HAPROXY | {"global": lines})
        text = command("import", "synapse", str(path)).out
        assert [line.strip() for line in text.splitlines() if line.strip().startswith("server:")] == [expected]


@pytest.mark.parametrize("name", [pytest.param("file_output", id="A2 file_output: note")])
def test_file_output_deletes_nothing_of_others(name: str, tmp_path: Path, command: Command) -> None:
    text = command("import", "synapse", str(config(tmp_path, EXAMPLES[name]))).out
    assert "only files that longshore wrote are removed" in " ".join(text.replace("#", "").split())
    assert "  directory: /var/lib/x\n" in text
    assert "  services:\n    - db\n" in text


def test_what_cannot_be_served_stands_at_the_end_and_ends_it_with_1(tmp_path: Path, command: Command) -> None:
    broken = {"discovery": {"method": "nonsense"}, "haproxy": {"port": 8083}}
    late = {"discovery": STUB, "default_servers": [{"host": "not a name", "port": 80}], "haproxy": {"port": 8084}}
    path, made = config(tmp_path, {"web": WEB, "broken": broken, "late": late}), tmp_path / "longshore.yaml"
    ended = command("import", "synapse", str(path), "--out", str(made))
    assert ended.code == 1
    assert "services.broken" in ended.err
    assert "2 problems" in ended.out
    served, _, left = made.read_text().partition("\n# Left out")
    assert "web:" in served
    assert "broken" not in served
    assert "late" not in served
    assert f"{path}:" in left
    assert "services.late" in left
    assert list(load(made, {}).config.services) == ["web"]
    assert command("import", "synapse", str(path), "--check").code == 1, "the others are compared all the same"


def test_a_snapshot_shows_that_both_find_the_same_endpoints(tmp_path: Path, command: Command) -> None:
    path, snapshot = config(tmp_path, {"web": WEB}), tmp_path / "snapshot.json"
    container = inspected("one", {})
    container["Config"]["Image"] = "local/app"
    container["NetworkSettings"]["Ports"] = {"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}
    snapshot.write_text(json.dumps([container]))
    ended = command("import", "synapse", str(path), "--check", "--snapshot", str(snapshot))
    assert ended.code == 0, ended.err
    assert "service web: 127.0.0.1:8080 */ → " in ended.out
    assert "no endpoints" not in ended.out
    answer = json.loads(command("import", "synapse", str(path), "--check", "--snapshot", str(snapshot), "--json").out)
    assert answer["different"] == []
    assert any("service web" in line for line in answer["same"])


def test_a_configuration_that_is_wrong_as_a_whole_is_not_printed(tmp_path: Path, command: Command) -> None:
    path = config(tmp_path, {"web": WEB}, nonsense={})
    ended = command("import", "synapse", str(path))
    assert ended.code == 1
    assert ended.out == ""
    assert f"{path}:" in ended.err
    assert json.loads(command("import", "synapse", str(path), "--json").out)["config"] is None


def test_json_has_the_configuration_and_its_notes(tmp_path: Path, command: Command) -> None:
    answer = json.loads(command("import", "synapse", str(config(tmp_path, {"web": WEB})), "--json").out)
    assert list(answer["config"]["services"]) == ["web"]
    assert any("contimeout" in note for note in answer["notes"])


def test_no_file_is_written_over(tmp_path: Path, command: Command) -> None:
    path, made = config(tmp_path, {"web": WEB}), tmp_path / "longshore.yaml"
    made.write_text("sources: {}\n")
    ended = command("import", "synapse", str(path), "--out", str(made))
    assert ended.code == 1
    assert made.read_text() == "sources: {}\n"
    made.unlink()
    codes = [command("import", "synapse", str(path), "--out", str(made)).code for _ in range(2)]
    assert codes == [0, 1], "the second time somebody may have changed it"


def test_a_snapshot_has_no_meaning_without_check(tmp_path: Path, command: Command) -> None:
    ended = command("import", "synapse", str(config(tmp_path, {"web": WEB})), "--snapshot", "x.json")
    assert ended.code == 2
    assert "--check" in ended.err


NERVE: dict[str, Any] = {"host": "10.0.0.5", "port": 8000, "checks": [{"type": "http", "uri": "/health", "rise": 2}]}
REPORTERS: dict[str, dict[str, Any]] = {
    "ZK": {"reporter_type": "zookeeper", "zk_hosts": ["10.0.0.1:2181"], "zk_path": "/nerve/services/web/services"},
    "etcd": {"reporter_type": "etcd", "etcd_host": "10.0.0.1", "etcd_port": 4001, "etcd_path": "/nerve/web"},
}


@pytest.mark.parametrize("name", [pytest.param(name, id=f"A3 {name}: import") for name in REPORTERS])
def test_what_nerve_said_means_the_same_in_our_words(name: str, tmp_path: Path, command: Command) -> None:
    path, made = tmp_path / "nerve.json", tmp_path / "longshore.yaml"
    broken = {"host": "10.0.0.5", "checks": [], **REPORTERS[name]}
    services = {"web": NERVE | REPORTERS[name] | {"weight": 5, "labels": {"az": "a"}}}
    path.write_text(json.dumps({"instance_id": "me", "services": services}))
    ended = command("import", "nerve", str(path), "--out", str(made))
    assert (ended.code, ended.err) == (0, "")
    means_the_same(lambda: nerve.read(path, os.environ), made)
    assert command("import", "nerve", str(path), "--check").code == 0
    path.write_text(json.dumps({"instance_id": "me", "services": services | {"broken": broken}}))
    ended = command("import", "nerve", str(path))
    assert ended.code == 1
    assert "broken" in ended.out.partition("# Left out")[2]
    assert "broken" not in ended.out.partition("# Left out")[0]


@pytest.mark.parametrize("name", [pytest.param("docker-register", id="A4 register: import")])
def test_docker_registers_environment(
    name: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "longshore.yaml"
    assert command("import", name).code == 1, "ETCD_HOST is missing"
    monkeypatch.setenv("ETCD_HOST", "10.0.0.1:4001")
    monkeypatch.setenv("HOST_IP", "10.0.0.5")
    assert command("import", name, "--out", str(made)).code == 0
    means_the_same(lambda: docker_register.register(os.environ), made)
    assert command("import", name, "--check").code == 0


@pytest.mark.parametrize("name", [pytest.param("docker-discover", id="A4 discover: import")])
def test_docker_discovers_environment(
    name: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "longshore.yaml"
    monkeypatch.setenv("ETCD_HOST", "10.0.0.1:4001")
    assert command("import", name, "--out", str(made)).code == 0
    means_the_same(lambda: docker_register.discover(os.environ), made)
    assert command("import", name, "--check").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["consul://127.0.0.1:8500"], id="A5 URI: import consul"),
        pytest.param(
            ["-ip", "10.0.0.5", "-internal", "-ttl", "60", "-ttl-refresh", "30", "etcd://10.0.0.1:2379/s"],
            id="A5 URI: import etcd",
        ),
        pytest.param(
            ["-explicit", "-tags", "a,b", "-cleanup", "zookeeper://10.0.0.1:2181/base"], id="A5 URI: import zookeeper"
        ),
    ],
)
def test_registrators_arguments(arguments: list[str], tmp_path: Path, command: Command) -> None:
    made = tmp_path / "longshore.yaml"
    assert command("import", "registrator", "--out", str(made), *arguments).code == 0
    means_the_same(lambda: registrator.read(arguments, os.environ), made)
    assert command("import", "registrator", "--check", *arguments).code == 0
    assert run(["import", "registrator"]) == 1, "no registry is named"
