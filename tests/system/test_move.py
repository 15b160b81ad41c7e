"""Moving from one registry to another under load: a balancer that reads both serves each endpoint once."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.etcd import Etcd
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
LABELS = {"longshore.host": "a.test", "longshore.check-interval": "200ms"}
COPIES = 4


@pytest.fixture
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def zookeeper(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as ensemble:
        yield ensemble


@pytest.fixture
def webs(own_network: None) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Web(f"web-{number}")) for number in range(COPIES + 1)]


@contextmanager
def syncing(config: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `longshore sync` beside."""
    command = [str(LONGSHORE), "sync", *arguments, "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            print(process.communicate(timeout=40)[0])  # noqa: T201 - pytest shows it when the test failed


def value(web: Web) -> str:
    return json.dumps({"host": "127.0.0.1", "port": web.port, "name": web.name, "labels": LABELS, "owner": "host1.aa"})


def servers(balancer: Balancer) -> set[str]:
    """The names of the servers that HAProxy has for the service."""
    backend = balancer.service("web")["backend"]
    rows = [line.split() for line in balancer.runtime(f"show servers state {backend}").splitlines()[2:]]
    return {row[3] for row in rows if len(row) > 4}


def written(path: Path, sources: Mapping[str, object]) -> Path:
    """Write a configuration with these sources."""
    path.write_text(json.dumps({"sources": sources}))
    return path


def read(balancer: Balancer, sources: Mapping[str, object]) -> None:
    """Give the balancer other sources."""
    balancer.settings["sources"] = sources
    balancer.configure({})
    balancer.send(signal.SIGHUP)
    balancer.until(lambda status: [source["name"] for source in status["sources"]] == list(sources))


def twins(balancer: Balancer) -> dict[str, list[str]]:
    """What endpoints go by, as it stands on disk."""
    state = json.loads((balancer.state / "state.json").read_text())
    found: dict[str, list[str]] = state["extra"].get("twins", {}).get("web", {})
    return found


def stands(zookeeper: ZooKeeper) -> set[str]:
    """The ids of the entries in ZooKeeper."""
    return {path.rpartition("/")[2].rpartition("_")[0] for path in zookeeper.nodes(PREFIX) if path.count("/") > 3}


def test_a_move_from_etcd_to_zookeeper_loses_nothing(
    etcd: Etcd, zookeeper: ZooKeeper, webs: list[Web], balance: Callable[..., Balancer]
) -> None:
    """Both are read for a while; then the old one goes. HAProxy has the same servers from the start to the end."""
    for web in webs[:COPIES]:
        etcd.put(f"{PREFIX}/web/{web.name}", value(web))
    old = {"etcd": {"endpoints": etcd.endpoints}}
    both = old | {"zookeeper": {"hosts": zookeeper.hosts}}
    b = balance(config={"sources": old})
    b.serves("a.test", COPIES)
    before = servers(b)
    reloads = b.reloads
    with Load(port=b.port, host="a.test", rate=60) as load:
        read(b, both)
        with syncing(written(b.folder / "sync.yaml", both), "etcd", "zookeeper"):
            until(lambda: len(stands(zookeeper)) == COPIES, what="the copies stand in ZooKeeper")
            b.until(lambda status: all(source["endpoints"] == COPIES for source in status["sources"]))
            load.more(60)
            assert len(b.service("web")["endpoints"]) == COPIES, "each endpoint counts once"
            assert servers(b) == before

            etcd.put(f"{PREFIX}/web/{webs[COPIES].name}", value(webs[COPIES]))  # what comes meanwhile comes along
            until(lambda: webs[COPIES].name in stands(zookeeper))
            b.serves("a.test", COPIES + 1)
            etcd.delete(f"{PREFIX}/web/{webs[COPIES].name}")
            until(lambda: webs[COPIES].name not in stands(zookeeper))
            b.serves("a.test", COPIES)

            read(b, {"zookeeper": both["zookeeper"]})
            load.more(60)
            assert servers(b) == before
            b.serves("a.test", COPIES)
    assert load.report.lost == 0, load.report
    assert b.reloads == reloads


def test_a_registrar_with_ids_of_its_own_takes_over_without_a_loss(
    etcd: Etcd, zookeeper: ZooKeeper, webs: list[Web], balance: Callable[..., Balancer]
) -> None:
    """The addresses are the same: HAProxy keeps the servers it has, whoever says them and under which id."""
    for web in webs[:COPIES]:
        etcd.put(f"{PREFIX}/web/{web.name}", value(web))
    old = {"etcd": {"endpoints": etcd.endpoints}}
    both = old | {"zookeeper": {"hosts": zookeeper.hosts}}
    b = balance(config={"sources": both})
    b.serves("a.test", COPIES)
    before = servers(b)
    with Load(port=b.port, host="a.test", rate=60) as load:
        for web in webs[:COPIES]:
            zookeeper.put(f"{PREFIX}/web/other-{web.name}_", value(web), ephemeral=True, sequence=True)
        b.until(lambda status: all(source["endpoints"] == COPIES for source in status["sources"]))
        assert len(b.service("web")["endpoints"]) == COPIES, "each endpoint counts once"
        etcd.delete(f"{PREFIX}/web/{webs[0].name}")
        b.until(lambda status: [source["endpoints"] for source in status["sources"]] == [COPIES - 1, COPIES])
        load.more(30)
        read(b, {"zookeeper": both["zookeeper"]})
        load.more(30)
        assert servers(b) == before
        until(lambda: len(twins(b)) == COPIES, what="what they go by is on disk")
        b.kill9()
        b.start()
        load.more(30)
        assert servers(b) == before, "also after a crash of longshore"
        b.serves("a.test", COPIES)
    assert load.report.lost == 0, load.report


def test_a_service_that_the_operator_picks_moves_in_one_step(
    etcd: Etcd, zookeeper: ZooKeeper, webs: list[Web], balance: Callable[..., Balancer]
) -> None:
    """The same entries stand in both; the configuration names the other one, alone, and is read again."""
    for web in webs[:COPIES]:
        etcd.put(f"{PREFIX}/web/{web.name}", value(web))
        zookeeper.put(f"{PREFIX}/web/{web.name}_", value(web), ephemeral=True, sequence=True)

    def picked(source: str) -> dict[str, object]:
        return {"web": {"from": {"source": source, "service": "web"}, "host": "picked.test"}}

    b = balance(config={"sources": {"etcd": {"endpoints": etcd.endpoints}}, "services": picked("etcd")})
    b.serves("picked.test", COPIES)
    with Load(port=b.port, host="picked.test", rate=100) as load:
        b.settings["services"] = picked("zookeeper")
        read(b, {"zookeeper": {"hosts": zookeeper.hosts}})
        b.until(lambda status: [source["endpoints"] for source in status["sources"]] == [COPIES])
        load.more(50)
        b.serves("picked.test", COPIES)
        assert not [each for each in b.status()["problems"] if each["where"].startswith("source")]
    assert load.report.lost == 0, load.report
    assert b.reloads == 0
