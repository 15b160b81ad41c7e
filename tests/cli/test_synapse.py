"""`check` and `render` with a configuration of Synapse: no engine, no HAProxy, each note and problem at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

FILE = Path(__file__).parents[2] / "examples" / "synapse" / "synapse.conf.json"


def test_the_walk_through_s_file_is_fine(command: Command) -> None:
    ended = command("check", "--synapse", str(FILE))
    assert ended.code == 0
    assert f"note: {FILE}:37:7: haproxy.raw.defaults[0]: contimeout is `timeout connect` now" in ended.out
    assert f"{FILE}: fine" in ended.out
    answer = json.loads(command("check", "--synapse", str(FILE), "--json").out)
    assert answer["valid"] is True
    assert answer["config"] == str(FILE)


def test_what_is_set_aside_is_a_problem_and_the_rest_is_rendered(tmp_path: Path, command: Command) -> None:
    broken = {"discovery": {"method": "dockr"}, "haproxy": {"port": 1}}
    whole = json.loads(FILE.read_text())
    whole["services"]["broken"] = broken
    path = tmp_path / "synapse.json"
    path.write_text(json.dumps(whole, indent=1))
    ended = command("check", "--synapse", str(tmp_path))
    assert ended.code == 1
    assert f"{path}:" in ended.out
    assert 'did you mean "docker"?' in ended.out
    ended = command("render", "--synapse", str(path), "--haproxy", "2.6")
    assert ended.code == 1
    for line in ("chroot /var/lib/haproxy", "bind 127.0.0.1:8080", "http-check expect string Hello"):
        assert line in ended.out
    assert 'did you mean "docker"?' in ended.err


@pytest.mark.parametrize("variable", [pytest.param("SYNAPSE_CONFIG", id="A2 SYNAPSE_CONFIG")])
def test_its_environment_names_it_where_no_other_is_said(
    variable: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(FILE))
    assert command("check").out.splitlines()[-1] == f"{FILE}: fine"
    assert "bind 127.0.0.1:8080" in command("render", "--haproxy", "2.6").out
    ours = tmp_path / "ours.yaml"
    ours.write_text("frontends: {http: ':8080'}\n")
    assert command("check", "--config", str(ours)).out.splitlines()[-1] == f"{ours}: fine"
    monkeypatch.setenv("ETCD_HOST", "10.0.0.1:2379")
    assert command("check", "--docker-discover").out.splitlines()[-1] == "--docker-discover: fine"


def test_only_one_configuration_can_be_read(tmp_path: Path, command: Command) -> None:
    ours = tmp_path / "longshore.yaml"
    ours.write_text("frontends: {}\n")
    for name in ("check", "render", "up"):
        ended = command(name, "--synapse", str(FILE), "--config", str(ours))
        assert ended.code == 2
        assert "--synapse and --config: only one configuration can be read" in ended.err


def test_a_file_that_is_not_there(tmp_path: Path, command: Command) -> None:
    for name in ("check", "render", "up"):
        ended = command(name, "--synapse", str(tmp_path / "none.json"))
        assert ended.code == 1
        assert "none.json: does not exist" in ended.out + ended.err
