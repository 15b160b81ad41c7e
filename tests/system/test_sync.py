"""`longshore sync` between real registries: the same entries, no loops, nothing lost by what breaks."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.lab.balancer import LONGSHORE
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"


@pytest.fixture(scope="module")
def ensemble(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as found:
        yield found


@pytest.fixture
def zookeeper(ensemble: ZooKeeper) -> ZooKeeper:
    if ensemble.nodes(PREFIX):
        ensemble.delete(PREFIX)
    return ensemble


@pytest.fixture
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def config(etcd: Etcd, zookeeper: ZooKeeper, tmp_path: Path) -> Path:
    sources = {
        "etcd": {"endpoints": etcd.endpoints},
        "zookeeper": {"hosts": zookeeper.hosts},
        "old": {"type": "etcd", "endpoints": etcd.endpoints, "prefix": "/backends", "layout": "docker-register"},
        "nerve": {"type": "zookeeper", "hosts": zookeeper.hosts, "prefix": "/nerve/services", "layout": "nerve"},
    }
    path = tmp_path / "longshore.yaml"
    path.write_text(json.dumps({"sources": sources}))
    return path


class Syncing:
    """A `longshore sync` that runs."""

    def __init__(self, config: Path, *arguments: str) -> None:
        self.log = config.with_name("-".join((*arguments, "log")).replace("/", ""))
        command = [str(LONGSHORE), "sync", *arguments, "--config", str(config)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(40)

    def until_said(self, text: str) -> None:
        until(lambda: text in self.log.read_text(), what=f"sync says {text!r}")


@contextmanager
def syncing(config: Path, *arguments: str) -> Iterator[Syncing]:
    found = Syncing(config, *arguments)
    try:
        yield found
    finally:
        found.end()
        print(found.log.read_text())  # noqa: T201 - pytest shows it when the test failed


def value(port: int, **more: object) -> str:
    return json.dumps({"host": "127.0.0.1", "port": port, "name": "a web", "owner": "host1.aabbccdd", **more})


def in_etcd(etcd: Etcd, prefix: str = PREFIX) -> set[str]:
    return {key.removeprefix(f"{prefix}/") for key in etcd.keys(prefix)}


def in_zookeeper(zookeeper: ZooKeeper, prefix: str = PREFIX) -> list[str]:
    """Entries as service/id, each as often as it stands there."""
    paths = [path.removeprefix(f"{prefix}/") for path in zookeeper.nodes(prefix)]
    return sorted(path.rpartition("_")[0] for path in paths if "/" in path)


def test_everything_said_goes_along_and_what_goes_goes(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    said = {"weight": 7, "labels": {"longshore.host": "a.test"}, "tags": ["x"], "zone": "b", "since": 5.0}
    etcd.put(f"{PREFIX}/web/one", value(8001, **said))
    with syncing(config, "etcd", "zookeeper") as sync:
        until(lambda: in_zookeeper(zookeeper) == ["web/one"])
        (written,) = [json.loads(found) for path, found in zookeeper.nodes(PREFIX).items() if "one" in path]
        assert written.pop("owner").startswith("sync.")
        assert written == {"host": "127.0.0.1", "port": 8001, "name": "a web"} | said
        etcd.put(f"{PREFIX}/api/two", value(8002))
        until(lambda: in_zookeeper(zookeeper) == ["api/two", "web/one"])
        etcd.delete(f"{PREFIX}/web/one")
        until(lambda: in_zookeeper(zookeeper) == ["api/two"])
        assert sync.end() == 0
    assert in_zookeeper(zookeeper) == [], "the end withdraws the copies"


def test_there_and_back_again_multiplies_nothing(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    etcd.put(f"{PREFIX}/web/one", value(8001))
    zookeeper.put(f"{PREFIX}/web/two_", value(8002), ephemeral=True, sequence=True)
    with syncing(config, "etcd", "zookeeper"), syncing(config, "zookeeper", "etcd"):
        until(lambda: in_etcd(etcd) == {"web/one", "web/two"} and in_zookeeper(zookeeper) == ["web/one", "web/two"])
        etcd.put(f"{PREFIX}/web/three", value(8003))
        until(lambda: in_zookeeper(zookeeper) == ["web/one", "web/three", "web/two"])
        etcd.delete(f"{PREFIX}/web/one")
        until(lambda: in_etcd(etcd) == {"web/two", "web/three"} and in_zookeeper(zookeeper) == ["web/three", "web/two"])


def test_a_killed_sync_is_taken_up_where_it_was(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    """No copy goes and comes back, and what went meanwhile goes."""
    zookeeper.put(f"{PREFIX}/web/one_", value(8001), ephemeral=True, sequence=True)
    gone = zookeeper.put(f"{PREFIX}/web/two_", value(8002), ephemeral=True, sequence=True)
    with syncing(config, "zookeeper", "etcd") as sync:
        until(lambda: in_etcd(etcd) == {"web/one", "web/two"})
        sync.end(signal.SIGKILL)
    revisions = etcd.revisions(PREFIX)
    zookeeper.delete(gone)
    with syncing(config, "zookeeper", "etcd"):
        until(lambda: in_etcd(etcd) == {"web/one"})
        assert etcd.revisions(PREFIX)[f"{PREFIX}/web/one"] == revisions[f"{PREFIX}/web/one"]


def test_nothing_goes_while_the_origin_is_away_or_was_wiped(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    with ExitStack() as stack:
        webs = [stack.enter_context(Web(f"web-{number}")) for number in range(3)]
        for web in webs:
            etcd.put(f"{PREFIX}/web/{web.name}", value(web.port))
        names = [f"web/{web.name}" for web in webs]
        sync = stack.enter_context(syncing(config, "etcd", "zookeeper"))
        until(lambda: in_zookeeper(zookeeper) == names)
        etcd.stop(0)
        sync.until_said("refuses connections")
        assert in_zookeeper(zookeeper) == names
        etcd.start(0)
        sync.until_said("answers again")
        etcd.clear()
        sync.until_said("vanished from the registry together")
        assert in_zookeeper(zookeeper) == names
        assert webs[0].process
        webs[0].process.kill()
        until(lambda: in_zookeeper(zookeeper) == names[1:], what="what does not answer goes")


def test_a_copy_gives_way_to_its_original(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    """A registrar that moves to the other registry finds its entry copied there, and takes its place."""
    zookeeper.put(f"{PREFIX}/web/one_", value(8001), ephemeral=True, sequence=True)
    with syncing(config, "zookeeper", "etcd") as sync:
        until(lambda: in_etcd(etcd) == {"web/one"})
        put = [str(LONGSHORE), "registry", "put", "etcd", "web", "127.0.0.1:8001", "--id", "one", "--detach", "1h"]
        subprocess.run([*put, "--config", str(config)], check=True, timeout=60)
        owner = json.loads(etcd.keys(PREFIX)[f"{PREFIX}/web/one"])["owner"]
        assert not owner.startswith("sync.")
        sync.until_said("web/one")
        assert sync.end() == 0
    assert json.loads(etcd.keys(PREFIX)[f"{PREFIX}/web/one"])["owner"] == owner, "the original stays"


def test_once_copies_from_one_layout_to_another_and_ends(etcd: Etcd, zookeeper: ZooKeeper, config: Path) -> None:
    etcd.put("/backends/who/4f3c2a1b0c9d", "127.0.0.1:32768")
    etcd.put("/backends/who/port", "8000")
    etcd.put("/backends/who/4f3c2a1b0c9e/deeper", "rubbish")
    with syncing(config, "old", "nerve", "--once", "--ttl", "8s") as sync:
        assert sync.process.wait(40) == 0, sync.log.read_text()
        assert "passed over" in sync.log.read_text()
        (written,) = [json.loads(found) for found in zookeeper.nodes("/nerve/services/who").values()]
    assert (written["host"], written["port"], written["labels"]["longshore.tcp"]) == ("127.0.0.1", 32768, ":8000")
    assert written["labels"]["synced-by"].startswith("sync.")
    until(lambda: not any("4f3c" in path for path in zookeeper.nodes("/nerve/services")), what="the copies run out")
