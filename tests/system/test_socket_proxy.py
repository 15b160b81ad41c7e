"""`longshore socket-proxy` in front of a real engine: balancing works through it, and changing anything does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import WEB, Engine, newest_docker
from tests.lab.engine_api import EngineApi
from tests.lab.load import Load
from tests.lab.socket_proxy import SocketProxy
from tests.lab.waiting import until
from tests.system.labelling import labels

pytestmark = pytest.mark.system

Balance = Callable[..., Balancer]


def docker(engine: Engine, host: str, *words: str) -> tuple[int, str]:
    """Run the docker command against a host and give its exit code and what it said on stderr."""
    command = ["docker", "--host", host, *words]
    done = subprocess.run(command, env=engine._env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("newest", [False, True])
def test_balancing_works_through_it_and_docker_can_only_look(
    engine: Engine, new_engine: Callable[..., Engine], balance: Balance, newest: bool
) -> None:
    """Containers come, go and are scaled under load; then the docker command tries what it can."""
    if newest:
        engine = new_engine(tree=newest_docker())
    with SocketProxy(engine.host) as proxy:
        balancer = balance(config={"sources": {"docker": {"host": proxy.host}}})
        said = labels("web", host="web.test")
        one, two = engine.run("one", labels=said), engine.run("two", labels=said)
        assert balancer.serves("web.test", 2) == {one.short, two.short}
        with Load(port=balancer.port, host="web.test", rate=40) as load:
            load.more(10)
            one.stop()
            assert balancer.serves("web.test", 1) == {two.short}
            one.start()
            assert balancer.serves("web.test", 2) == {one.short, two.short}
            load.more(10)
        assert load.report.lost == 0, load.report
        assert balancer.status()["problems"] == []
        assert proxy.refused == []

        for words in (
            ["ps"],
            ["inspect", "one"],
            ["version"],
            ["info"],
            ["network", "ls"],
            ["events", "--until", "1s"],
        ):
            code, text = docker(engine, proxy.host, *words)
            assert code == 0, (words, text)
        docker(engine, proxy.host, "attach", "one")  # says a thing of its own
        assert "/attach?" in proxy.refused[-1]
        before = {each.id for each in engine.containers()}
        for words in (
            ["run", "-d", WEB], ["stop", "one"], ["kill", "one"], ["rm", "-f", "one"], ["exec", "one", "x"],
            ["logs", "one"], ["cp", "one:/bin/web", "-"], ["commit", "one"], ["rename", "one", "x"],
            ["network", "create", "x"], ["volume", "ls"], ["images"], ["pull", "x"], ["save", WEB],
            ["rmi", WEB], ["top", "one"], ["update", "--restart", "no", "one"], ["system", "df"], ["swarm", "init"],
        ):  # fmt: skip
            code, text = docker(engine, proxy.host, *words)
            assert code != 0, (words, text)
            assert "longshore socket-proxy: " in text, (words, text)
        assert {each.id for each in engine.containers()} == before
        assert (one.status, two.status) == ("running", "running")
        assert any(each.startswith("POST ") and each.endswith("/containers/create") for each in proxy.refused)


def test_an_engine_that_restarts_is_followed_again_and_a_proxy_that_restarts_costs_nothing(
    new_engine: Callable[..., Engine], balance: Balance
) -> None:
    engine = new_engine(live_restore=True)
    at = f"tcp://127.0.0.1:{ports.free()}"
    with SocketProxy(engine.host, listen=at) as proxy:
        balancer = balance(config={"sources": {"docker": {"host": at}}})
        one = engine.run(labels=labels("web", host="web.test"))
        assert balancer.serves("web.test", 1) == {one.short}
        with Load(port=balancer.port, host="web.test", rate=40) as load:
            engine.stop()
            balancer.until(lambda status: status["sources"][0]["state"] == "stale", "the engine is away")
            load.more(10)
            engine.start()
            balancer.until(lambda status: status["sources"][0]["state"] == "current", "the engine is back")
            two = engine.run(labels=labels("web", host="web.test"))
            assert balancer.serves("web.test", 2) == {one.short, two.short}
            assert "the engine answers again" in proxy.log_text()
            assert proxy.end() == 0
            balancer.until(lambda status: status["sources"][0]["state"] == "stale", "the proxy is away")
            with SocketProxy(engine.host, listen=at):
                balancer.until(lambda status: status["sources"][0]["state"] == "current", "the proxy is back")
                load.more(10)
        assert load.report.lost == 0, load.report


def test_started_as_root_it_keeps_nothing_of_root_but_the_group_of_the_socket(engine: Engine) -> None:
    os.chown(engine.socket, 0, 4242)
    engine.socket.chmod(0o660)
    try:
        with SocketProxy(engine.host, "--user", "nobody") as proxy:
            assert proxy.process
            status = Path(f"/proc/{proxy.process.pid}/status").read_text()
            said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert said["Uid"].split() == ["65534"] * 4
            assert said["Groups"].split() == ["4242"]
            assert (said["CapEff"], said["CapPrm"]) == ("0" * 16, "0" * 16)
            socket = Path(proxy.host.removeprefix("unix://"))
            assert (socket.stat().st_uid, oct(socket.stat().st_mode & 0o777)) == (65534, "0o660")
            assert EngineApi(socket).get("/version")["ApiVersion"]
            proxy.process.send_signal(signal.SIGINT)
            until(lambda: not socket.exists(), what="it ends and takes its socket with it")
    finally:
        os.chown(engine.socket, 0, 0)


def test_what_is_wrong_at_the_start_is_said() -> None:
    def said(*options: str, engine: str = "unix:///x", listen: str = "") -> str:
        with pytest.raises(RuntimeError) as ended, SocketProxy(engine, *options, listen=listen):
            pass
        return str(ended.value)

    assert "other machines" in said(listen="tcp://0.0.0.0:2375")
    assert "no address to listen on" in said(listen="ssh://somewhere")
    assert "make its folder" in said(listen="unix:///nowhere/docker.sock")
    assert "no address of a Docker Engine" in said(engine="nonsense")
    assert "three octal digits" in said("--mode", "rw")
    assert "there is no user" in said("--user", "no-such-user")


def test_health_asks_through_it(engine: Engine, balance: Balance) -> None:
    with SocketProxy(engine.host) as proxy:
        balancer = balance(engine=engine)
        path = proxy.host.removeprefix("unix://")
        assert balancer.command("health").returncode == 0
        assert balancer.command("health", "--socket-proxy", path).returncode == 0
        assert json.dumps(proxy.refused) == "[]"
        proxy.end()
        assert balancer.command("health", "--socket-proxy", path).returncode == 3
        balancer.terminate()
        assert balancer.command("health").returncode == 3
