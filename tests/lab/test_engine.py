"""The lab's engines are real, separate, and leave nothing behind."""

from __future__ import annotations

import pytest

from tests.lab import network, remains
from tests.lab.engine import PREFIX, Engine, newest_docker
from tests.lab.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("own_network")]


def test_an_engine_runs_the_web_service_and_leaves_nothing_behind() -> None:
    with Engine() as engine:
        web = engine.run("ann", labels={"longshore.host": "a.test"}, env={"LOG": 1}, args=("-p", "8000"))
        assert until(lambda: web.get("/any")).startswith(f"host={web.short} ")
        assert web.inspect()["Config"]["Labels"] == {"longshore.host": "a.test"}
        web.stop()
        assert web.status == "exited"
        web.start()
        assert until(lambda: web.get("/any"))
        assert engine.processes()
    assert not engine.processes()
    assert not engine.folder.exists()


def test_two_engines_do_not_know_of_each_other() -> None:
    with Engine() as one, Engine() as two:
        web = one.run("ann")
        other = two.run("ann")
        assert len(one.containers()) == len(two.containers()) == 1
        assert web.address != other.address
        one.reset()
        assert not one.containers()
        assert until(other.get)


def test_with_live_restore_containers_survive_a_crash_of_the_engine() -> None:
    with Engine(live_restore=True) as engine:
        web = engine.run("ann")
        pid = web.pid
        engine.kill9()
        engine.start()
        assert web.pid == pid
        assert until(web.get)


def test_newer_engines_and_a_raised_minimum_of_the_api_are_at_hand() -> None:
    with Engine(tree=newest_docker(), env={"DOCKER_MIN_API_VERSION": "1.44"}) as engine:
        version = engine.api.get("/v1.44/version")
        assert int(version["Version"].split(".")[0]) >= 28
        assert version["MinAPIVersion"] == "1.44"
        assert until(engine.run("ann").get)


def test_what_a_dead_run_left_is_swept_away() -> None:
    engine = Engine()
    engine.start()
    engine.run("ann")
    (engine.folder / "owner").write_text("999999999")
    assert engine.folder in remains.sweep(PREFIX)
    assert not engine.processes()
    assert not engine.folder.exists()
    engine.close()


def test_a_process_in_its_own_network_can_still_reach_the_outside() -> None:
    assert network.outside()[0] == "nsenter"
