"""What is known and said outlives everything: an engine that is down, restarts, crashes, and other hands on HAProxy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import SERIES, oldest_and_newest
from tests.lab.load import Load
from tests.lab.remains import end_family, family
from tests.lab.waiting import until
from tests.system.hostile import start

pytestmark = pytest.mark.system

WEB = {"longshore.service": "web", "longshore.host": "web.test"}


def docker(balancer: Balancer) -> Any:
    (source,) = [each for each in balancer.status()["sources"] if each["type"] == "docker"]
    return source


def endpoints(balancer: Balancer, service: str = "web") -> dict[str, tuple[str, int]]:
    return {each["name"]: (each["state"], each["weight"]) for each in balancer.service(service)["endpoints"]}


@oldest_and_newest
def test_the_last_good_state_is_served_until_the_engine_is_back(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path, series: str
) -> None:
    """longshore is killed while the engine is away, and then HAProxy with it: services, drain and weight stay."""
    way = tmp_path / "docker.sock"
    way.symlink_to(engine.socket)
    for name in ("one", "two", "three"):
        start(engine, name, WEB)
    balancer = balance(series=series, config={"sources": {"docker": {"host": f"unix://{way}"}}})
    balancer.until_up("web", 3)
    assert balancer.command("drain", "web/one").returncode == 0
    assert balancer.command("weight", "web/two", "50").returncode == 0
    said = {"one": ("drain", 100), "two": ("up", 50), "three": ("up", 100)}
    until(lambda: endpoints(balancer) == said, what="the operator's words are in force")
    worker = balancer.worker

    way.unlink()
    with Load(port=balancer.port, host="web.test", rate=20) as load:
        balancer.kill9()
        balancer.start()
        assert endpoints(balancer) == said
        load.more(20)
    assert load.report.lost == 0, load.report
    assert set(load.report.by) == {"two", "three"}
    assert docker(balancer)["state"] == "stale"
    assert str(way) in docker(balancer)["reason"]
    assert (balancer.worker, balancer.reloads) == (worker, 0)

    balancer.kill9()
    end_family(balancer.folder.name, ("haproxy",))
    balancer.start()
    assert balancer.worker != worker
    until(lambda: endpoints(balancer) == said, what="all is as it was")
    assert balancer.serves("web.test", 2) == {"two", "three"}
    assert docker(balancer)["state"] == "stale"

    way.symlink_to(engine.socket)
    until(lambda: docker(balancer)["state"] == "current", what="the engine is back")
    assert endpoints(balancer) == said
    assert balancer.command("ready", "web/one").returncode == 0
    balancer.until_up("web", 3)


def test_a_service_without_endpoints_is_remembered_and_then_forgotten(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    """503 for forget-after, also over a restart, then 404."""
    balancer = balance(engine=engine, config={"forget-after": "1h"})
    web = start(engine, "one", WEB)
    balancer.serves("web.test", 1)
    web.rm()
    until(lambda: balancer.request("web.test").status == 503, what="it is remembered")
    assert balancer.request("other.test").status == 404
    until(lambda: '"kept":[{' in (balancer.state / "state.json").read_text(), what="that is saved")
    assert balancer.terminate() == 0
    balancer.start()
    assert balancer.request("web.test").status == 503
    balancer.configure({"forget-after": "1s"})
    balancer.send(signal.SIGHUP)
    until(lambda: balancer.request("web.test").status == 404, what="it is forgotten")


def test_what_a_source_said_just_before_the_end_is_kept(balance: Callable[..., Balancer], tmp_path: Path) -> None:
    """SIGTERM comes sooner after a change than the state is written in passing."""
    file = tmp_path / "web.yaml"
    file.write_text("services: {}")
    balancer = balance(config={"sources": {"file": {"path": str(file)}}})
    for port in (9, 19):
        file.write_text(json.dumps({"services": {"web": {"endpoints": [f"127.0.0.1:{port}"]}}}))
        balancer.until(lambda _, port=port: ends(balancer) == [port], "the change is taken")  # type: ignore[misc]
        assert balancer.terminate() == 0
        saved = json.loads((balancer.state / "state.json").read_text())["snapshots"]
        services = [service for snapshot in saved if snapshot["source"] == "file" for service in snapshot["services"]]
        assert [each["port"] for service in services for each in service["endpoints"]] == [port]
        balancer.start()


def ends(balancer: Balancer) -> list[int]:
    return [each["port"] for each in balancer.service("web").get("endpoints", ())]


def test_a_broken_state_file_is_set_aside_and_a_second_longshore_is_refused(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    start(engine, "one", WEB)
    balancer = balance(engine=engine)
    balancer.until_up("web", 1)
    until((balancer.state / "state.json").exists, what="the state is saved")

    env = {**os.environ, "LONGSHORE_ADMIN_BIND": "off"}
    second = [str(LONGSHORE), "up", "--config", str(balancer.config)]
    done = subprocess.run(second, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"another longshore runs with the state directory {balancer.state}" in done.stderr
    assert balancer.serves("web.test", 1) == {"one"}

    assert balancer.terminate() == 0
    assert not family(balancer.folder.name, ("haproxy",))
    (balancer.state / "state.json").write_text('{"version": 1, "overr')
    (balancer.state / "haproxy" / "running.json").write_text("[")
    balancer.start()
    assert balancer.serves("web.test", 1) == {"one"}
    (problem,) = balancer.status()["problems"]
    assert problem["where"] == f"state file {balancer.state / 'state.json'}"
    assert "longshore begins without it; the file is now" in problem["what"]
    assert (balancer.state / "state.json.broken").read_text() == '{"version": 1, "overr'


def test_what_others_change_in_haproxy_is_mended_and_said(engine: Engine, balance: Callable[..., Balancer]) -> None:
    """Somebody disables a server, deletes another, changes a weight, takes a route away and makes one of their own."""
    balancers = [balance(engine=engine, series=series) for series in (SERIES[0], SERIES[-1])]
    for name in ("one", "two", "three"):
        start(engine, name, WEB)
    for balancer in balancers:
        balancer.until_up("web", 3)
        meddle(balancer)
    for balancer in balancers:
        balancer.until(lambda status: status["plans"]["drift"] >= 5, "everything is found")
        until(lambda: all_is_mended(balancer), what="everything is mended")  # noqa: B023 - called at once
        events = balancer.command("events").stdout
        for words in ("drift mended", "web.test/ leads to nothing", "stranger.test/ is not ours", "has weight 7"):
            assert words in events
        assert balancer.reloads == 0


def all_is_mended(balancer: Balancer) -> bool:
    assert balancer.serves("web.test", 3) == {"one", "two", "three"}
    assert balancer.request("stranger.test").status == 404
    rows = [row.split() for row in balancer.runtime("show servers state").splitlines()]
    weights = {row[7] for row in rows if len(row) > 7 and row[1] == balancer.service("web")["backend"]}
    assert weights == {"100"}
    return True


def meddle(balancer: Balancer) -> None:
    backend = balancer.service("web")["backend"]
    rows = [row.split() for row in balancer.runtime("show servers state").splitlines()]
    servers = {row[3].partition(".")[0]: f"{backend}/{row[3]}" for row in rows if len(row) > 3 and row[1] == backend}
    routes = balancer.state / "haproxy" / "maps" / "routes.map"
    for command, answer in (
        (f"set server {servers['one']} state maint", ""),
        (f"set server {servers['two']} state maint; del server {servers['two']}", "Server deleted."),
        (f"set weight {servers['three']} 7", ""),
        (f"del map {routes} web.test/", ""),
        (f"add map {routes} stranger.test/ {backend}", ""),
    ):
        assert balancer.runtime(command).strip() == answer, command


@oldest_and_newest
def test_haproxy_comes_back_with_all_servers_when_it_is_killed(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """The worker alone, then the master; what was added at runtime is there again."""
    balancer = balance(engine=engine, series=series)
    for name in ("one", "two"):
        start(engine, name, WEB)
    start(engine, "db", {"longshore.service": "db", "longshore.host": "db.test", "longshore.balance": "source"})
    balancer.serves("db.test", 1)
    balancer.serves("web.test", 2)
    for number in range(2):
        worker = balancer.worker
        master = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(worker if number == 0 else master, signal.SIGKILL)
        until(lambda: balancer.worker != worker, what="another HAProxy runs")  # noqa: B023 - called at once
        assert balancer.serves("web.test", 2) == {"one", "two"}
        balancer.serves("db.test", 1)
        until(lambda: said(balancer).count("HAProxy started") == number + 2, what="longshore is done")  # noqa: B023
        balancer.until(lambda status: not status["problems"], "nothing is wrong")
    assert said(balancer).count("HAProxy ended") == 2


def said(balancer: Balancer) -> list[str]:
    """What is in the journal."""
    return [event["what"] for event in balancer.api("/v1/events")["events"]]
