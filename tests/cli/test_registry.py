"""Commands around registries, without any: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from longshore.agent.registry_read import Reading
from longshore.cli import registry_rm
from longshore.clients.registry_faults import RegistryError
from longshore.sources.registered import Adapter
from tests.cli.conftest import Command
from tests.sources.registry_watching import PREFIX, Registry, entry

CONFIG = """\
sources:
  etcd: {}
  old: {type: zookeeper, layout: serverset}
  docker: {}
"""


class Hand:
    """Removes from a registry; `alive` are keys that somebody keeps."""

    def __init__(self) -> None:
        self.alive: dict[str, str] = {}
        self.gone: list[str] = []

    async def kept(self, keys: Sequence[str]) -> Mapping[str, str]:
        return {key: how for key, how in self.alive.items() if key in keys}

    async def remove(self, keys: Sequence[str]) -> list[str]:
        self.gone += keys
        return list(keys)


@pytest.fixture
def registries(state: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Registry]:
    """What stands in the two registries of the configuration."""
    found = {"etcd": Registry(web_a=entry(owner="host1.aa", since=1.0), web_bad=b"rubbish"), "old": Registry()}

    def adapter(reading: Reading) -> Adapter:
        return found[reading.name]

    monkeypatch.setattr(Reading, "adapter", adapter)
    config = state / "longshore.yaml"
    config.write_text(CONFIG)
    monkeypatch.setenv("LONGSHORE_CONFIG", str(config))
    return found


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    found = Hand()
    monkeypatch.setattr(registry_rm, "remover_of", lambda source: found)
    return found


def test_entries_are_listed_with_who_keeps_them_and_what_is_wrong(
    registries: dict[str, Registry], command: Command
) -> None:
    registries["etcd"].content["web/b"] = entry("10.0.0.6", labels={"longshore.hots": "x"})
    registries["etcd"].content["web/c"] = entry("10.0.0.7", owner="sync.12345678")
    ended = command("registry", "ls", "etcd")
    assert (ended.code, ended.err) == (0, "")
    for text in (
        "etcd  /longshore/services  native  1 service, 3 entries",
        "a  10.0.0.5:80  owner host1.aa",
        "b  10.0.0.6:80  no owner",
        "copied by sync.12345678",
        "age unknown",
        "    label longshore.hots: unknown key; did you mean host?",
        f'{PREFIX}/web/bad: is not JSON: "rubbish"',
    ):
        assert text in ended.out, ended.out


def test_a_registry_that_cannot_be_read_is_said_beside_the_others(
    registries: dict[str, Registry], command: Command
) -> None:
    registries["old"].away = RegistryError("cannot reach ZooKeeper", "is it running?")
    ended = command("registry", "ls")
    assert ended.code == 1
    assert "old: cannot reach ZooKeeper\n  is it running?" in ended.out
    assert "host1.aa" in ended.out
    (good, bad) = json.loads(command("registry", "ls", "--json").out)["registries"]
    assert (good["error"], good["entries"][0]["id"], good["broken"][0]["key"]) == (None, "a", f"{PREFIX}/web/bad")
    assert (bad["error"], bad["hint"]) == ("cannot reach ZooKeeper", "is it running?")


def test_one_service_is_listed(registries: dict[str, Registry], command: Command) -> None:
    registries["etcd"].content["api/x"] = entry("10.0.0.9")
    ended = command("registry", "ls", "etcd", "api")
    assert "10.0.0.9" in ended.out
    assert "10.0.0.5" not in ended.out
    ended = command("registry", "ls", "etcd", "nope")
    assert ended.code == 1
    assert "registered: api, web" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["registry", "ls", "docker"], 2, "it has: etcd, old"),
        (["registry", "put", "etcd", "web", "10.0.0.5"], 2, "has no port"),
        (["registry", "put", "etcd", "web", "10.0.0.5:0"], 2, "not a port from 1 to 65535"),
        (["registry", "put", "etcd", "a b", "10.0.0.5:80"], 2, "is not a name"),
        (["registry", "put", "etcd", "web", "10.0.0.5:80", "--label", "longshore.hots=x"], 2, "did you mean host"),
        (["registry", "put", "etcd", "web", "10.0.0.5:80", "--label", "x"], 2, "is not KEY=VALUE"),
        (["registry", "put", "etcd", "web", "10.0.0.5:80", "--weight", "300"], 2, "from 0 to 256"),
        (["registry", "put", "etcd", "web", "10.0.0.5:80", "--ttl", "1s"], 2, "from 2s to 1h"),
        (["registry", "put", "old", "web", "10.0.0.5:80"], 1, "has the layout serverset, which longshore only reads"),
        (["registry", "rm", "etcd", "nope"], 1, "registered: web"),
        (["registry", "rm", "etcd", "web/nope"], 1, "it has: a"),
        (["registry", "rm", "etcd", f"{PREFIX}/nope"], 1, "nothing that the source reads stands at"),
        (["registry", "rm", "etcd", "web/"], 2, "names no entry"),
        (["sync", "etcd", "etcd"], 2, "FROM and TO are both etcd"),
        (["sync", "etcd", "nope"], 2, "it has: etcd, old"),
        (["sync", "etcd", "old"], 1, "which longshore only reads"),
        (["sync", "old", "etcd", "--ttl", "2h"], 2, "from 2s to 1h"),
    ],
)
def test_mistakes_end_with_words(
    registries: dict[str, Registry], command: Command, arguments: list[str], code: int, said: str
) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


@pytest.mark.parametrize("arguments", [["registry", "ls"], ["registry", "watch"], ["sync", "a", "b"]])
def test_without_a_registry_the_cure_is_said(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.code == 1
    assert "has no registry among its sources" in ended.err
    assert "sources: {etcd: {}}" in ended.err


def test_what_somebody_keeps_is_left_unless_forced(
    registries: dict[str, Registry], command: Command, hand: Hand
) -> None:
    registries["etcd"].content["web/b"] = entry("10.0.0.6")
    hand.alive = {f"{PREFIX}/web/a": "under a lease with 8 s left"}
    ended = command("registry", "rm", "etcd", "web")
    assert (ended.code, ended.out) == (1, f"removed {PREFIX}/web/b\n")
    assert f"left {PREFIX}/web/a: host1.aa keeps it under a lease with 8 s left" in ended.err
    assert "--force" in ended.err
    assert "it would be written again; end its registrar, or" in ended.err
    ended = command("registry", "rm", "etcd", "web/a", "--force", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, {"removed": [f"{PREFIX}/web/a"], "left": {}})
    assert hand.gone == [f"{PREFIX}/web/b", f"{PREFIX}/web/a"]


def test_what_was_put_by_hand_is_not_said_to_be_written_again(
    registries: dict[str, Registry], command: Command, hand: Hand
) -> None:
    """Nobody renews what `put --detach` left; only its owner's name tells that `put` wrote it."""
    registries["etcd"].content["db/a"] = entry("10.0.0.6", owner="root@box.12345678")
    hand.alive = {f"{PREFIX}/db/a": "under a lease with 8 s left", f"{PREFIX}/web/a": "under a lease with 3 s left"}
    ended = command("registry", "rm", "etcd", "db")
    assert f"left {PREFIX}/db/a: root@box.12345678 put it there by hand, under a lease with 8 s left" in ended.err
    assert "it goes by itself" in ended.err
    assert "written again" not in ended.err


def test_what_is_broken_is_removed_by_its_key(registries: dict[str, Registry], command: Command, hand: Hand) -> None:
    ended = command("registry", "rm", "etcd", f"{PREFIX}/web/bad")
    assert (ended.code, ended.out) == (0, f"removed {PREFIX}/web/bad\n")


def test_the_doctor_asks_a_host_that_only_registers_for_no_haproxy(
    state: Path, command: Command, tmp_path: Path
) -> None:
    """HAProxy and :80 are the balancers' business; `--state-dir` says where the registrar is."""
    config = state / "longshore.yaml"
    written = "sources: {etcd: {endpoints: ['http://127.0.0.1:1']}}\nregister: {containers: false}\n"
    haproxy, bind = "haproxy: {binary: /nowhere/haproxy}\n", "frontends: {http: 127.0.0.1:1}"
    for text, judged in (
        (written, False),
        (written + haproxy, True),
        (written + bind, True),
    ):
        config.write_text(text)
        told = json.loads(command("doctor", "--json", "--config", str(config), "--state-dir", str(tmp_path)).out)
        places = [each["where"] for each in told["findings"] + told["fine"]]
        assert f"state directory {tmp_path}" in places
        assert any(place.startswith("address") for place in places) is judged
        assert any("only registers" in each["what"] for each in told["fine"]) is not judged


def test_the_doctor_judges_a_forerunners_configuration(command: Command, tmp_path: Path) -> None:
    """As `check` does: the file that is named, and what is left out of it."""
    good = {"method": "zookeeper", "hosts": ["127.0.0.1:1"], "path": "/web"}
    file, config = tmp_path / "synapse.conf.json", {"web": good, "bad": {"method": "pigeon"}}
    services = {name: {"discovery": said, "haproxy": {"port": 1}} for name, said in config.items()}
    file.write_text(json.dumps({"services": services, "haproxy": {}}))
    told = json.loads(command("doctor", "--json", "--synapse", str(file), "--state-dir", str(tmp_path)).out)
    assert {"where": "configuration", "what": str(file)} in told["fine"]
    wrong = {each["where"]: each["what"] for each in told["findings"]}
    assert any(where.startswith(f"{file}:1:") and "pigeon" in what for where, what in wrong.items())
    assert any(where.startswith("zookeeper-127.0.0.1") for where in wrong)


def test_the_doctor_ends_with_1_and_a_cure_for_each(
    registries: dict[str, Registry], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "longshore.yaml"
    config.write_text("sources: {dokcer: {}}\n")
    monkeypatch.setenv("LONGSHORE_CONFIG", str(config))
    ended = command("doctor")
    assert ended.code == 1
    assert f"!!   {config}:1:" in ended.out
    assert ended.out.endswith("1 finding\n")
    (found,) = json.loads(command("doctor", "--json").out)["findings"]
    assert found["where"].startswith(f"{config}:1:")
