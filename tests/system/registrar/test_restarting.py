"""A registrar that ends, crashes, is replaced, renamed, reconfigured: no gap, nothing twice, nothing beyond a TTL."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable

import pytest

from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.system.registrar.conftest import Register
from tests.system.registrar.standing import LABELS, PORT, PREFIX, Sight, entries, ids

pytestmark = pytest.mark.system


def test_after_a_crash_the_next_run_adopts_what_is_left(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register(register={"ttl": "30s"})
    one, two = (engine.run(labels=LABELS, args=PORT) for _ in range(2))
    until(lambda: set(entries(etcd)) == ids(one, two))
    before = etcd.revisions()
    registrar.kill9()
    two.kill()  # while nobody looks
    registrar.start()
    until(lambda: set(entries(etcd)) == ids(one))
    key = f"{PREFIX}/web/{one.short}:8000"
    assert etcd.revisions()[key] == before[key], "it was adopted, not written anew"
    assert len(etcd.leases()) == 1


def test_after_a_crash_nothing_is_left_beyond_the_ttl(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register(register={"ttl": "2s"})
    engine.run(labels=LABELS, args=PORT)
    until(lambda: entries(etcd))
    registrar.kill9()
    (lease,) = etcd.leases()
    assert etcd.rest_of(lease) <= 2
    until(lambda: not entries(etcd))
    assert not etcd.leases()


def test_an_upgrade_with_keep_is_not_noticed(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register(register={"ttl": "30s"}, options=("--keep",))
    containers = [engine.run(labels=LABELS, args=PORT) for _ in range(3)]
    until(lambda: set(entries(etcd)) == ids(*containers))
    before = etcd.revisions()
    with Sight(etcd) as sight:
        for _ in range(2):
            assert registrar.terminate() == 0
            registrar.start()
            registrar.until_held("web", 3)
    assert (sight.least, sight.most) == (3, 3)
    assert etcd.revisions() == before


def test_at_sigterm_everything_is_withdrawn_at_once(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register(register={"ttl": "1h"})
    engine.run(labels=LABELS, args=PORT)
    until(lambda: entries(etcd))
    assert registrar.terminate() == 0
    assert not etcd.keys("/longshore/")
    assert not etcd.leases()


def test_a_renamed_host_stays_who_it_is(etcd: Etcd, engine: Engine, register: Register) -> None:
    """Also its plain processes, whose entries carry the name: the old one goes, nothing stands twice."""
    with Web("plain") as web:
        services = {"old": {"port": web.port}}
        registrar = register(register={"name": "first", "services": services, "ttl": "30s"}, options=("--keep",))
        container = engine.run(labels=LABELS, args=PORT)
        until(lambda: set(entries(etcd)) == ids(container) and set(entries(etcd, "old")) == {f"first:{web.port}"})
        owner = registrar.status()["registrar"]["owner"]
        registrar.terminate()
        registrar.configure({"register": {"name": "second"}})
        registrar.start()
        registrar.until_held("web", 1)
        until(lambda: set(entries(etcd, "old")) == {f"second:{web.port}"})
        assert set(entries(etcd)) == ids(container)
        assert registrar.status()["registrar"]["owner"] == owner
        (entry,) = entries(etcd).values()
        assert (entry["owner"], entry["machine"]) == (owner, "second")


def test_a_lost_state_directory_changes_nothing(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register(register={"ttl": "30s"}, options=("--keep",))
    container = engine.run(labels=LABELS, args=PORT)
    until(lambda: set(entries(etcd)) == ids(container))
    before = etcd.revisions()
    registrar.terminate()
    (registrar.state / "registrar.json").unlink()
    registrar.start()
    registrar.until_held("web", 1)
    assert etcd.revisions() == before


def test_the_configuration_is_read_again_without_a_gap(etcd: Etcd, engine: Engine, register: Register) -> None:
    """Other checks and tags, another TTL, another prefix; a broken file changes nothing."""
    registrar = register()
    containers = [engine.run(labels=LABELS, args=PORT) for _ in range(2)]
    until(lambda: set(entries(etcd)) == ids(*containers))
    with Sight(etcd) as sight:
        registrar.configure({"register": {"tags": ["new"], "interval": "300ms", "rise": 3, "ttl": "40s"}})
        registrar.send(signal.SIGHUP)
        until(lambda: all(entry.get("tags") == ["new"] for entry in entries(etcd).values()))
        registrar.until(lambda status: {lease["ttl"] for lease in status["registrar"]["leases"]} == {40.0})
        registrar.until_held("web", 2)
        registrar.config.write_text("register: {ttl: soon}")
        registrar.send(signal.SIGHUP)
        registrar.until(lambda status: any("ttl" in str(problem) for problem in status["problems"]))
    assert (sight.least, sight.most) == (2, 2)
    registrar.configure({"sources": {"etcd": {"endpoints": etcd.endpoints, "prefix": "/elsewhere"}}})
    registrar.send(signal.SIGHUP)
    until(lambda: set(entries(etcd, prefix="/elsewhere")) == ids(*containers))
    until(lambda: not entries(etcd))
    registrar.until_held("web", 2)
    assert not registrar.status()["problems"]


def test_while_the_engine_is_away_entries_stay_and_checks_go_on(
    etcd: Etcd, register: Register, new_engine: Callable[..., Engine]
) -> None:
    engine = new_engine(live_restore=True)
    registrar = register(engine=engine)
    one = engine.run(labels=LABELS | {"longshore.check": "/health"}, args=PORT)
    until(lambda: set(entries(etcd)) == ids(one))
    address = f"http://{one.address}:8000"
    engine.kill9()
    registrar.until(lambda status: any("Docker Engine" in problem["what"] for problem in status["problems"]))
    assert set(entries(etcd)) == ids(one)
    urllib.request.urlopen(f"{address}/fail?on", timeout=10).close()
    until(lambda: not entries(etcd))
    urllib.request.urlopen(f"{address}/fail?off", timeout=10).close()
    until(lambda: set(entries(etcd)) == ids(one))
    engine.start()
    registrar.until(lambda status: not status["problems"])
    two = engine.run(labels=LABELS, args=PORT)
    until(lambda: set(entries(etcd)) == ids(one, two))
