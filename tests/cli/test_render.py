"""`render`: the configuration HAProxy would get, on any machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.core.capabilities import TYPICAL
from tests.cli.conftest import Command
from tests.cli.containers import inspected, shop, write


@pytest.mark.parametrize("series", [f"{major}.{minor}" for major, minor in TYPICAL])
def test_the_configuration_of_a_snapshot(tmp_path: Path, command: Command, series: str) -> None:
    ended = command("render", "--snapshot", str(shop(tmp_path)), "--haproxy", series)
    assert (ended.code, ended.err) == (0, "")
    assert "172.18.0.2:8000" in ended.out
    assert "172.18.0.3:8000" in ended.out
    assert "#   shop.test/ " in ended.out
    assert ("slot:" in ended.out) is (series != "3.4")


def test_the_same_input_gives_the_same_output(tmp_path: Path, command: Command) -> None:
    path = str(shop(tmp_path))
    assert command("render", "--snapshot", path).out == command("render", "--snapshot", path).out


def test_json(tmp_path: Path, command: Command) -> None:
    answer = json.loads(command("render", "--snapshot", str(shop(tmp_path)), "--json").out)
    assert answer["config"].startswith("# Written by longshore")
    routes = next(text for path, text in answer["maps"].items() if path.endswith("routes.map"))
    assert routes.startswith("shop.test/ ")


def test_files_that_belong_together(tmp_path: Path, state: Path, command: Command) -> None:
    ended = command("render", "--snapshot", str(shop(tmp_path)), "--out", str(state / "out"))
    assert ended.code == 0
    routes = state / "out" / "haproxy" / "maps" / "routes.map"
    assert str(routes) in (state / "out" / "haproxy" / "haproxy.cfg").read_text()
    assert "shop.test/ " in routes.read_text()


def test_problems_are_on_stderr_and_what_is_good_is_rendered(tmp_path: Path, command: Command) -> None:
    documents = [
        inspected("good", {"longshore.host": "good.test"}),
        inspected("bad", {"longshore.host": "bad.test", "longshore.balance": "roundrobin\nglobal"}, "172.18.0.3"),
    ]
    ended = command("render", "--snapshot", str(write(tmp_path, documents)))
    assert ended.code == 1
    assert "longshore.balance" in ended.err
    assert "good.test/" in ended.out
    assert "bad.test" not in ended.out


def test_an_invalid_configuration_renders_nothing(tmp_path: Path, command: Command) -> None:
    (tmp_path / "longshore.yaml").write_text("frontends: 3\n")
    ended = command("render", "--config", str(tmp_path / "longshore.yaml"))
    assert (ended.code, ended.out) == (1, "")
    assert "longshore.yaml:1:12" in ended.err


def test_an_unknown_haproxy_is_wrong_usage(command: Command) -> None:
    for version in ("1.8", "3", "new", "3.4.1.2.x", ""):
        ended = command("render", "--haproxy", version)
        assert ended.code == (0 if version.startswith("3.4.1") else 2)
    assert "known: 2.6, 3.0, 3.2, 3.4" in ended.err


def test_tls_of_the_configuration_is_rendered_as_written(tmp_path: Path, command: Command) -> None:
    (tmp_path / "longshore.yaml").write_text("frontends: {https: {bind: ':443', tls: {certificates: /etc/certs}}}\n")
    ended = command("render", "--config", str(tmp_path / "longshore.yaml"))
    assert "crt /etc/certs" in ended.out


def test_a_service_of_several_origins_is_rendered_as_it_would_begin(tmp_path: Path, command: Command) -> None:
    """Who waits for its turn is not in HAProxy; the fallback is, when nothing else is found."""
    config = tmp_path / "longshore.yaml"
    config.write_text("""\
sources: {docker: {}, etcd: {}}
services:
  web: {host: web.test, from: [{label: tier=a, port: 80}, {label: [tier=b, "old!=1"], port: 81}], from-first: true}
  api: {host: api.test, from: {source: etcd, service: api}, fallback: ["10.0.0.9:90"]}
  both: {host: both.test, from: [{label: tier=a, port: 80}, {label: tier=b, port: 81}]}
""")
    documents = [inspected("one", {"tier": "a"}), inspected("two", {"tier": "b"}, "172.18.0.3")]
    snapshot = str(write(tmp_path, documents))
    ended = command("render", "--config", str(config), "--snapshot", snapshot, "--haproxy", "3.0", "--json")
    rendered = json.loads(ended.out)
    lines = [line.split() for line in rendered["config"].splitlines()]
    assert sorted(words[2] for words in lines if words[:1] == ["server"] and ":" in words[2]) == [
        "10.0.0.9:90",
        "172.18.0.2:80",
        "172.18.0.2:80",
        "172.18.0.3:81",
    ]
    assert (ended.code, rendered["problems"]) == (0, [])
    ended = command("check", "--config", str(config), "--snapshot", snapshot)
    assert ended.code == 0
    assert "web.from" not in ended.out
    assert "web   2 endpoints  web.test" in ended.out
