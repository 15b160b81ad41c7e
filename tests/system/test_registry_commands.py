"""`longshore registry …`, `doctor` and `thaw` with real registries: what people type, and what stands there then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
KINDS = ("etcd", "zookeeper", "consul")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Commands:
    """Runs commands with one configuration, whose registries are named by their types."""

    def __init__(self, config: Path) -> None:
        self.config = config
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LONGSHORE", "DOCKER"))}
        self._env = kept | {"LONGSHORE_CONFIG": str(config), "NO_COLOR": "1", "COLUMNS": "200"}

    def run(self, *arguments: str) -> Done:
        """Run one to its end."""
        done = subprocess.run(
            [LONGSHORE, *arguments], env=self._env, capture_output=True, text=True, timeout=90, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def fine(self, *arguments: str) -> str:
        """Run one that must end with 0."""
        done = self.run(*arguments)
        assert done.code == 0, done
        return done.out

    def entries(self, source: str, *more: str) -> dict[str, Any]:
        """What `registry ls` lists of one registry, by service/id."""
        (registry,) = json.loads(self.fine("registry", "ls", source, *more, "--json"))["registries"]
        return {f"{entry['service']}/{entry['id']}": entry for entry in registry["entries"]}

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run one beside, until it is told to end."""
        with subprocess.Popen([LONGSHORE, *arguments], env=self._env, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                assert process.wait(40) in (0, 130)


@pytest.fixture(scope="module")
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def commands(etcd: Etcd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with ZooKeeper() as zookeeper, Consul() as consul:
        path = tmp_path_factory.mktemp("registries") / "longshore.yaml"
        sources = {
            "etcd": {"endpoints": etcd.endpoints},
            "zookeeper": {"hosts": zookeeper.hosts},
            "consul": {"address": consul.address()},
        }
        path.write_text(json.dumps({"state-dir": str(path.parent / "state"), "sources": sources}))
        yield Commands(path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_is_put_listed_watched_and_withdrawn(commands: Commands, kind: str) -> None:
    said = ("--id", "one", "--weight", "7", "--label", "longshore.host=a.test", "--label", "version=2", "--tag", "x")
    with commands.running("registry", "watch", kind, "--json") as watch:
        assert watch.stdout
        with commands.running("registry", "put", kind, "web", "10.0.0.5:80", *said, "--zone", "b") as put:
            assert put.stdout
            assert "until Ctrl-C" in put.stdout.readline()
            seen = json.loads(next(line for line in watch.stdout if '"one"' in line))
            assert (seen["source"], seen["before"], seen["after"]["port"]) == (kind, None, 80)
            entry = commands.entries(kind)["web/one"]
            assert (entry["host"], entry["port"], entry["weight"], entry["zone"]) == ("10.0.0.5", 80, 7, "b")
            assert (entry["labels"], entry["tags"]) == ({"longshore.host": "a.test", "version": "2"}, ["x"])
            assert entry["owner"]
            assert entry["since"] > 0
            refused = commands.run("registry", "rm", kind, "web/one")
            assert (refused.code, refused.out) == (1, "")
            assert entry["owner"] in refused.err
            assert "--force" in refused.err
        assert not commands.entries(kind)
        seen = json.loads(next(line for line in watch.stdout if '"after": null' in line))
        assert seen["before"]["id"] == "one"


@pytest.mark.parametrize("kind", KINDS)
def test_a_detached_entry_can_be_removed_by_force(commands: Commands, kind: str) -> None:
    commands.fine("registry", "put", kind, "db", "10.0.0.6:5432", "--detach", "10s")
    assert "removed" in commands.fine("registry", "rm", kind, "db", "--force")
    assert not commands.entries(kind)
    assert "no service db is registered" in commands.run("registry", "rm", kind, "db").err


def test_what_is_wrong_with_entries_is_said(commands: Commands, etcd: Etcd) -> None:
    etcd.put(f"{PREFIX}/web/rubbish", "rubbish")
    etcd.put(f"{PREFIX}/web/bad", json.dumps({"host": "10.0.0.9", "port": 80, "labels": {"longshore.hots": "x"}}))
    try:
        told = commands.fine("registry", "ls", "etcd")
        assert f'{PREFIX}/web/rubbish: is not JSON: "rubbish"' in told
        assert "label longshore.hots: unknown key; did you mean host?" in told
        assert "no owner" in told
        assert commands.fine("registry", "rm", "etcd", f"{PREFIX}/web/rubbish") == f"removed {PREFIX}/web/rubbish\n"
        assert commands.fine("registry", "rm", "etcd", "web") == f"removed {PREFIX}/web/bad\n"
    finally:
        etcd.clear()


@pytest.mark.parametrize(("source", "target"), [("etcd", "consul"), ("consul", "zookeeper")])
def test_consul_is_copied_from_and_to(commands: Commands, source: str, target: str) -> None:
    put = ("registry", "put", source, "web", "10.0.0.5:80", "--id", "one", "--label", "longshore.host=a.test")
    with commands.running(*put, "--ttl", "10s") as putting:
        assert putting.stdout
        putting.stdout.readline()
        ttl = ("--ttl", "3s")  # copies in Consul run out
        with commands.running("sync", source, target, *ttl), commands.running("sync", target, source, *ttl):
            copy = until(lambda: commands.entries(target).get("web/one"), what="the copy stands there")
            assert copy
            assert copy["copy"]
            assert (copy["host"], copy["port"], copy["labels"]) == ("10.0.0.5", 80, {"longshore.host": "a.test"})
            assert list(commands.entries(source)) == ["web/one"], "nothing comes back"
    until(lambda: not commands.entries(target) and not commands.entries(source))


def test_the_doctor_finds_what_is_wrong_with_registries(commands: Commands, etcd: Etcd, tmp_path: Path) -> None:
    with Web("fine") as web:
        good = {"host": "127.0.0.1", "port": web.port, "name": "good"}
        future = {"host": "127.0.0.1", "port": web.port, "name": "x", "since": 4e9, "machine": "host9"}
        bridge = {"host": "172.17.0.2", "port": 1, "machine": "host9"}
        for name, value in {"web/good": good, "api/late": future, "api/bridge": bridge, "api/rubbish": 1}.items():
            etcd.put(f"{PREFIX}/{name}", json.dumps(value))
        settings = json.loads(commands.config.read_text())
        settings["sources"]["gone"] = {"type": "etcd", "endpoints": ["http://127.0.0.1:1"]}
        settings["sources"]["lost"] = {"type": "zookeeper", "hosts": ["127.0.0.1:1"]}
        settings["sources"]["away"] = {"type": "consul", "address": "http://127.0.0.1:1"}
        config = tmp_path / "longshore.yaml"
        config.write_text(json.dumps(settings))
        try:
            done = commands.run("doctor", "--json", "--config", str(config))
        finally:
            etcd.clear()
    assert done.code == 1
    answer = json.loads(done.out)
    found = {(each["where"], each["what"]) for each in answer["findings"]}
    said = "\n".join(f"{where}: {what}" for where, what in sorted(found))
    for text in (
        f"etcd {PREFIX}/web/good: 127.0.0.1:{web.port} is an address that every host has itself",
        f"etcd {PREFIX}/api/late: was registered in",
        f"etcd {PREFIX}/api/bridge: 172.17.0.2:1 is of a container network, and runs on host9",
        f"etcd {PREFIX}/api/bridge: 172.17.0.2:1 ",
        f"etcd {PREFIX}/api/rubbish: is not a JSON object",
        "gone http://127.0.0.1:1: etcd at http://127.0.0.1:1 refuses connections",
        "lost 127.0.0.1:1: cannot be reached",
        "away http://127.0.0.1:1: Consul at http://127.0.0.1:1 refuses connections",
    ):
        assert text in said, (text, said)
    assert all(each["hint"] for each in answer["findings"]), "each finding says the cure"
    fine = "\n".join(f"{each['where']}: {each['what']}" for each in answer["fine"])
    for text in ("etcd: the member answers: etcd 3.5", "ZooKeeper 3.8.0 standalone", "Consul 1.8", "HAProxy "):
        assert text in fine, (text, fine)


def test_the_doctor_knows_a_lost_quorum_and_a_wrong_password(own_network: None, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    with Etcd("3.4", size=3) as lost, Etcd("3.5") as closed, ZooKeeper(size=3) as ensemble:
        closed.secure("right", users={"longshore": ("right", "/")})
        for member in (0, 1):
            lost.kill(member)
            ensemble.kill(member)
        sources = {
            "lost": {"type": "etcd", "endpoints": lost.endpoints},
            "closed": {"type": "etcd", "endpoints": closed.endpoints, "username": "longshore"},
            "ensemble": {"type": "zookeeper", "hosts": ensemble.hosts},
        }
        sources["closed"]["password-file"] = str(password)
        config = tmp_path / "longshore.yaml"
        config.write_text(json.dumps({"state-dir": str(tmp_path / "state"), "sources": sources}))
        doctor = Commands(config)

        def found() -> list[str]:
            findings = json.loads(doctor.run("doctor", "--json").out)["findings"]
            return [f"{each['where']}: {each['what']} ({each['hint']})" for each in findings]

        until(lambda: any("does not serve" in each and lost.endpoints[2] in each for each in found()), 60)
        said = "\n".join(found())
        for text in (
            f"lost {lost.endpoints[0]}: etcd at {lost.endpoints[0]} refuses connections",
            "refuses this user and password (check username and password-file)",
            f"ensemble {ensemble.hosts[2]}: answers, but does not serve: it has lost its quorum",
        ):
            assert text in said, (text, said)


def test_the_doctor_has_nothing_to_say_of_what_is_fine(
    commands: Commands, etcd: Etcd, balance: Callable[..., Balancer]
) -> None:
    b = balance(config={"sources": {"etcd": {"endpoints": etcd.endpoints}}})
    done = b.command("doctor", "--config", str(b.config))
    assert done.returncode == 0, done.stdout
    assert "ok   agent: balancer: nothing to complain of" in done.stdout
    assert done.stdout.endswith("everything is fine\n")


def test_a_frozen_source_is_thawed(etcd: Etcd, balance: Callable[..., Balancer]) -> None:
    with ExitStack() as stack:
        webs = [stack.enter_context(Web(f"web-{number}")) for number in range(3)]
        for web in webs:
            value = {"host": "127.0.0.1", "port": web.port, "labels": {"longshore.host": "a.test"}}
            etcd.put(f"{PREFIX}/web/{web.name}", json.dumps(value))
        b = balance(config={"sources": {"etcd": {"endpoints": etcd.endpoints}, "file": {"path": "services.d"}}})
        b.serves("a.test", 3)
        assert "source etcd is not frozen" in b.command("thaw", "etcd").stderr
        etcd.clear()
        b.until(lambda status: [source["kept"] for source in status["sources"]] == [3, 0])
        assert "frozen: 3 of them not registered" in b.command("status").stdout
        b.serves("a.test", 3)
        assert "source file (file) is no registry" in b.command("thaw", "file").stderr
        assert "there is no source nope" in b.command("thaw", "nope").stderr
        thawed = b.command("thaw", "etcd")
        assert thawed.returncode == 0
        assert "3 endpoints that vanished from the registry together are served no more" in thawed.stdout
        b.until(lambda status: [source["kept"] for source in status["sources"]] == [0, 0])
        assert b.request("a.test").status == 503
        assert "source etcd thawed" in b.command("events").stdout
