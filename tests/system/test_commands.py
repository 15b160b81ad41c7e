"""The commands against a running agent: what they print, how they end, and what they do to real traffic."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.binaries import haproxy
from tests.lab.engine import Engine
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.labelling import labels

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shared(_engine: Engine) -> Iterator[Balancer]:
    with Balancer(engine=_engine) as balancer:
        yield balancer


@pytest.fixture
def balancer(shared: Balancer, engine: Engine) -> Iterator[Balancer]:
    """One balancer for the whole file: tests use hosts and services of their own."""
    yield shared
    print(shared.log_text()[-20000:])  # noqa: T201 - pytest shows it when the test failed


def run(balancer: Balancer, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Run a command, which must end with `code`; what it printed as output and as errors."""
    done = balancer.command(*arguments)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def ask(balancer: Balancer, *arguments: str, code: int = 0) -> str:
    """All that the command printed, errors last."""
    return "".join(run(balancer, *arguments, code=code))


def ask_json(balancer: Balancer, *arguments: str, code: int = 0) -> Any:
    """The same with --json: the whole output is one document."""
    return json.loads(run(balancer, *arguments, "--json", code=code)[0])


def test_status_and_explain_tell_what_is(balancer: Balancer, engine: Engine) -> None:
    web = engine.run("status-1", labels=labels("status", host="status.test", path="/here"))
    balancer.serves("status.test", 1, "/here")
    (service,) = [each for each in ask_json(balancer, "status")["services"] if each["name"] == "status"]
    (endpoint,) = service["endpoints"]
    assert (endpoint["name"], endpoint["state"], endpoint["address"]) == ("status-1", "up", web.address)
    told = ask(balancer, "status", "status")
    assert "status-1" in told
    assert f"{web.address}:8000" in told
    assert "there is no service nosuch" in ask(balancer, "status", "nosuch", code=1)

    explained = ask_json(balancer, "explain", "http://status.test/here/x")
    assert (explained["service"], explained["frontend"]) == ("status", "http")
    told = ask(balancer, "explain", "status.test/here")
    assert "status-1" in told
    assert "/here" in told
    assert "no route of status.test" in ask(balancer, "explain", "http://status.test/else", code=1)
    assert "404" in ask(balancer, "explain", "http://nobody.test/", code=1)
    web.stop()
    balancer.until_up("status", 0)
    assert ask_json(balancer, "explain", "http://status.test/here", code=1)["status"] == 503


def test_drain_ready_and_weight_move_real_traffic(balancer: Balancer, engine: Engine) -> None:
    said = labels("moved", host="moved.test")
    one, two = engine.run("moved-1", labels=said), engine.run("moved-2", labels=said)
    both = {one.short, two.short}
    assert balancer.serves("moved.test", 2) == both
    reloads = balancer.reloads
    with Load(port=balancer.port, host="moved.test", rate=40) as load:
        ask(balancer, "drain", "moved/moved-1")
        assert balancer.serves("moved.test", 1) == {two.short}
        states = {end["name"]: end["state"] for end in balancer.service("moved")["endpoints"]}
        assert states == {"moved-1": "drain", "moved-2": "up"}
        ask(balancer, "ready", "moved/moved-1")
        assert balancer.serves("moved.test", 2) == both
        ask(balancer, "weight", "moved/moved-2", "0")
        assert balancer.serves("moved.test", 1) == {one.short}
        changed = ask_json(balancer, "weight", "moved/moved-2", "default")
        assert (changed["service"], changed["endpoints"]) == ("moved", ["moved-2"])
        assert balancer.serves("moved.test", 2) == both
        ask(balancer, "drain", "moved/moved-2", "--maint")
        assert balancer.serves("moved.test", 1) == {one.short}
        ask(balancer, "ready", "moved")
        assert balancer.serves("moved.test", 2) == both
    assert load.report.lost == 0, load.report
    ask(balancer, "drain", "moved")
    balancer.until_up("moved", 0)
    assert balancer.request("moved.test").status == 503
    ask(balancer, "ready", "moved")
    assert balancer.serves("moved.test", 2) == both
    assert balancer.reloads == reloads
    assert "there is no service nosuch" in ask(balancer, "drain", "nosuch", code=1)
    assert "it has: moved-1, moved-2" in ask(balancer, "drain", "moved/nosuch", code=1)
    assert "300 is no weight" in ask(balancer, "weight", "moved", "300", code=2)


def test_wait_and_events_follow_what_happens(balancer: Balancer, engine: Engine) -> None:
    said = labels("waited", host="waited.test")
    assert "has 0 of 1 endpoints up" in ask(balancer, "wait", "waited", "--timeout", "500ms", code=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask_json, balancer, "wait", "waited=2")
        engine.run("waited-1", labels=said)
        two = engine.run("waited-2", labels=said)
        assert waiting.result() == {"ready": True, "services": [{"name": "waited", "up": 2, "count": 2}]}
    assert ask(balancer, "wait", "waited", "waited=2") != ""
    assert "has 2 of 3" in ask(balancer, "wait", "waited=3", "--timeout", "500ms", code=1)
    ask(balancer, "wait", "--timeout", "30s")  # without a service: until it is ready
    assert "endpoint waited-1 in" in ask(balancer, "events")
    assert {event["what"] for event in ask_json(balancer, "events")["events"]} >= {"endpoint waited-2 in"}

    follow = [str(LONGSHORE), "events", "--follow", "--json", "--state-dir", str(balancer.state)]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        try:
            first = json.loads(following.stdout.readline())
            two.stop()
            line = next(line for line in following.stdout if "endpoint waited-2 out" in line)
            assert json.loads(line)["seq"] > first["seq"]
        finally:
            following.kill()


def test_reload_loses_nothing_and_says_why_it_was_done(balancer: Balancer, engine: Engine) -> None:
    engine.run(labels=labels("reloaded", host="reloaded.test"))
    balancer.serves("reloaded.test", 1)
    worker, reloads = balancer.worker, balancer.reloads
    with Load(port=balancer.port, host="reloaded.test", rate=40) as load:
        load.more(5)
        assert "HAProxy was reloaded" in ask(balancer, "reload", "--reason", "because I can")
        load.more(5)
    assert load.report.lost == 0, load.report
    assert balancer.worker != worker
    status = balancer.status()["haproxy"]
    assert (status["reloads"], status["last_reload_reason"]) == (reloads + 1, "because I can")
    assert "because I can" in ask(balancer, "events")


def test_mend_undoes_what_a_stranger_did(balancer: Balancer, engine: Engine) -> None:
    """Unless the agent saw it first: it looks by itself now and then."""
    web = engine.run(labels=labels("mended", host="mended.test"))
    balancer.serves("mended.test", 1)
    assert ask_json(balancer, "mend") == {"drift": []}
    backend = balancer.service("mended")["backend"]
    rows = [line.split() for line in balancer.runtime(f"show servers state {backend}").splitlines()[2:]]
    (server,) = [row[3] for row in rows if len(row) > 4]

    def mended() -> bool:
        balancer.runtime(f"set server {backend}/{server} state maint")
        return any(server in each["what"] and each["mended"] for each in ask_json(balancer, "mend")["drift"])

    until(mended, what="mend finds and mends it")
    assert balancer.serves("mended.test", 1) == {web.short}
    assert "drift mended" in ask(balancer, "events")


def test_check_and_render_need_no_agent(balancer: Balancer, engine: Engine, tmp_path: Path) -> None:
    """From a configuration and what `docker inspect` prints; HAProxy accepts what is rendered."""
    engine.run("rendered-1", labels=labels("rendered", host="rendered.test"))
    engine.run("rendered-2", labels={"longshore.hots": "rendered.test"})
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text(engine.docker("inspect", "rendered-1"))
    asked = ("--config", str(balancer.config), "--snapshot", str(snapshot))
    assert ask_json(balancer, "check", *asked)["valid"] is True
    assert ask_json(balancer, "check", *asked)["services"][0]["name"] == "rendered"
    text = ask(balancer, "render", *asked)
    assert "rendered.test/ " in text
    ask(balancer, "render", *asked, "--haproxy", "3.4", "--out", str(tmp_path / "out"))
    file = tmp_path / "out" / "haproxy" / "haproxy.cfg"
    checked = subprocess.run([haproxy("3.4"), "-c", "-f", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    snapshot.write_text(engine.docker("inspect", "rendered-1", "rendered-2"))
    answer = ask_json(balancer, "check", *asked, code=1)
    assert [problem["where"] for problem in answer["problems"]] == ["container rendered-2"]
    assert "did you mean host" in answer["problems"][0]["what"]

    broken = tmp_path / "longshore.yaml"
    broken.write_text("frontends:\n  http: nowhere\nsources:\n  docker: {expos: all}\n")
    said = ask(balancer, "check", "--config", str(broken), code=1)
    assert f"{broken}:2:" in said
    assert f"{broken}:4:" in said


def test_without_an_agent_commands_say_so(balancer: Balancer, tmp_path: Path) -> None:
    for arguments in (("status",), ("explain", "a.test"), ("drain", "web"), ("reload",)):
        assert "longshore up" in ask(balancer, *arguments, "--state-dir", str(tmp_path), code=3)
    assert ask(balancer, "status", "--nonsense", code=2)
