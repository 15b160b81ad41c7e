"""How containers leave: their entry goes first, and their end may be put off until balancers have noticed."""

from __future__ import annotations

import threading

import pytest

from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.socket_proxy import SocketProxy
from tests.lab.waiting import until
from tests.system.registrar.conftest import Register
from tests.system.registrar.standing import LABELS, PORT, entries, ids

pytestmark = pytest.mark.system
DELAYED = LABELS | {"longshore.deregister-delay": "2s"}
URGENT = (*PORT, "--stop-signal", "SIGURG")


def test_whatever_ends_a_container_its_entry_goes(etcd: Etcd, engine: Engine, register: Register) -> None:
    register(register={"ttl": "1h"})
    killed, removed, restarted, paused, quits = (engine.run(labels=LABELS, args=PORT) for _ in range(5))
    until(lambda: set(entries(etcd)) == ids(killed, removed, restarted, paused, quits))
    killed.kill()
    removed.rm()
    paused.pause()
    quits.kill("INT")  # no stop signal of the engine's: it ends by itself
    until(lambda: set(entries(etcd)) == ids(restarted))
    restarted.restart()
    until(lambda: [entry["port"] for entry in entries(etcd).values()] == [restarted.published()])
    paused.unpause()
    killed.start()
    until(lambda: set(entries(etcd)) == ids(restarted, paused, killed))


def test_the_end_is_put_off_after_the_entry_is_withdrawn(etcd: Etcd, engine: Engine, register: Register) -> None:
    """Its stop signal does nothing; the registrar sends SIGTERM later, and long before the engine would kill."""
    registrar = register()
    web = engine.run("web-1", labels=DELAYED, args=URGENT)
    until(lambda: entries(etcd))
    stopping = threading.Thread(target=lambda: web.stop(30))
    stopping.start()
    until(lambda: not entries(etcd))
    assert "host=" in web.get("/"), "it serves on while balancers notice"
    stopping.join()
    assert web.inspect()["State"]["ExitCode"] == 0, "it ended by SIGTERM, not by SIGKILL"
    said = {event["what"]: event["why"] for event in registrar.api("/v1/events")["events"]}
    assert said["sent SIGTERM to web-1"] == "2 s after its stop signal"


def test_a_registrar_that_ends_owes_nobody_its_end(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register()
    web = engine.run(labels=LABELS | {"longshore.deregister-delay": "1h"}, args=(*URGENT, "--stop-timeout", "3600"))
    until(lambda: entries(etcd))
    stopping = threading.Thread(target=lambda: web.stop(60))
    stopping.start()
    until(lambda: not entries(etcd))
    registrar.terminate()
    stopping.join()
    assert web.inspect()["State"]["ExitCode"] == 0


def test_an_engine_that_only_reads_cannot_put_off_anything(etcd: Etcd, engine: Engine, register: Register) -> None:
    with SocketProxy(engine.host) as proxy:
        registrar = register(register={"docker": {"host": proxy.host}})
        web = engine.run("web-1", labels=LABELS | {"longshore.deregister-delay": "100ms"}, args=URGENT)
        until(lambda: entries(etcd))
        stopping = threading.Thread(target=lambda: web.stop(5))
        stopping.start()
        until(lambda: not entries(etcd))
        registrar.until(lambda status: any("could not be sent SIGTERM" in each["what"] for each in status["problems"]))
        (problem,) = registrar.status()["problems"]
        assert problem["where"] == "container web-1"
        assert "give it the engine's own socket" in problem["hint"]
        stopping.join()
