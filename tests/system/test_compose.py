"""deploy/compose with real Compose: it works at once, scales, and the balancer never sees the engine's socket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import compose, shell
from tests.lab.boxed import Boxed, load
from tests.lab.container import Container
from tests.lab.engine import WEB, Engine
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"


class Project:
    """What runs `docker compose` in the folder, with these files."""

    def __init__(self, engine: Engine, *files: str) -> None:
        image = load(engine)
        self.env = {
            **os.environ,
            "DOCKER_HOST": engine.host,
            "DOCKER_SOCKET": str(engine.socket),
            "DOCKER_CONFIG": str(compose.plugins()),
            "BALANCER_IMAGE": image,
            "PORTS_IMAGE": shell.load(engine),
            "IMAGE": WEB,
            "COMPOSE_ANSI": "never",
            "COMPOSE_FILE": ":".join(files or ("compose.yaml",)),
        }

    def __call__(self, *arguments: str) -> str:
        return self.does(str(compose.binary()), *arguments)

    def does(self, *command: str, code: int = 0, **env: str) -> str:
        """Run a command in the folder and return what it printed."""
        done = subprocess.run(command, cwd=FOLDER, env={**self.env, **env}, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout


@contextmanager
def project(engine: Engine, *files: str) -> Iterator[Project]:
    """Everything is down and gone afterwards."""
    run = Project(engine, *files)
    try:
        yield run
    finally:
        run("down", "--volumes", "--timeout", "1")


def container(engine: Engine, service: str) -> Container:
    return next(each for each in engine.containers() if each.name.startswith(f"longshore-{service}-"))


def test_it_works_at_once_and_scales(engine: Engine) -> None:
    """One command; then more copies and fewer under load; nothing but 80 and 8404 is published."""
    with project(engine) as run:
        run("up", "--detach", "--wait", "--scale", "web=3")
        boxed = Boxed.of(container(engine, "longshore"), engine)
        assert len(boxed.serves("web.localhost", 3, address="127.0.0.1")) == 3
        with Load(port=80, host="web.localhost", rate=60) as traffic:
            run("up", "--detach", "--no-recreate", "--scale", "web=5")
            boxed.serves("web.localhost", 5, address="127.0.0.1")
            run("up", "--detach", "--no-recreate", "--scale", "web=2")
            boxed.serves("web.localhost", 2, address="127.0.0.1")
            traffic.more(20)
        assert traffic.report.lost == 0, traffic.report
        assert boxed.request(port=8404, address="127.0.0.1").status == 200
        assert boxed.status()["problems"] == []
        ports = [each.inspect()["NetworkSettings"]["Ports"] for each in engine.containers()]
        assert {port for each in ports for port, host in each.items() if host} == {"80/tcp", "8404/tcp"}


def test_the_balancer_cannot_reach_the_engine_and_the_proxy_is_nobody(engine: Engine) -> None:
    with project(engine) as run:
        run("up", "--detach", "--wait")
        boxed, proxy = Boxed.of(container(engine, "longshore"), engine), container(engine, "socket-proxy")
        mounts = {each["Destination"] for each in boxed.container.inspect()["Mounts"]}
        assert mounts == {"/run/longshore", "/var/lib/longshore"}
        # the command itself is the child of process 1
        said = engine.docker("exec", proxy.id, "sh", "-c", "cat /proc/[0-9]*/status")
        users = {line.split()[1] for line in said.splitlines() if line.startswith("Uid:")}
        assert "10001" in users
        asked = (
            "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/longshore/docker.sock'); "
            "s.sendall(b'POST /containers/create HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(999).decode())"
        )
        assert "403 Forbidden" in boxed.inside("/opt/longshore/bin/python", "-c", asked)
        logs = engine.api.call("GET", f"/containers/{proxy.id}/logs?stdout=1&stderr=1").decode(errors="replace")
        assert "POST /containers/create" in logs

        proxy.restart(5)
        until(lambda: "current" in str(boxed.status()["sources"]), what="the proxy is back")
        run("up", "--detach", "--no-recreate", "--scale", "web=2")
        boxed.serves("web.localhost", 2, address="127.0.0.1")


def test_in_the_hosts_network(engine: Engine) -> None:
    with project(engine, "compose.yaml", "compose.host.yaml") as run:
        run("up", "--detach", "--wait", "--scale", "web=2")
        boxed = Boxed.of(container(engine, "longshore"), engine)
        boxed.serves("web.localhost", 2, address="127.0.0.1")
        assert boxed.request(port=8404, address="127.0.0.1").status == 200
        assert boxed.status()["problems"] == []


@pytest.mark.parametrize("file", ["compose.steady.yaml", "compose.host.yaml"])
def test_longshore_is_replaced_under_load(engine: Engine, file: str) -> None:
    """By another image, twice: no request is lost, what an operator said stays, nothing is left of the former ones."""
    with project(engine, "compose.yaml", file) as run:
        run("up", "--detach", "--wait", "--scale", "web=2")
        first = Boxed.of(container(engine, "longshore"), engine)
        first.inside("longshore", "weight", "longshore-web", "7")
        former, volumes = {first.container.id}, len(engine.api.get("/volumes")["Volumes"])
        engine.docker("tag", run.env["BALANCER_IMAGE"], "longshore:next")
        with (
            Load(port=80, host="web.localhost", rate=200, keep=False) as load,
            Load(port=80, host="web.localhost", rate=50) as kept,
        ):
            for image in ("longshore:next", run.env["BALANCER_IMAGE"]):
                run.does("./update.sh", BALANCER_IMAGE=image)
                new = container(engine, "longshore")
                assert new.inspect()["Config"]["Image"] == image
                assert new.id not in former
                former.add(new.id)
                load.more(50)
        for each in (load, kept):
            assert each.report.lost == 0, each.report
        last = Boxed.of(new, engine)
        assert {each["weight"] for each in last.status()["services"][0]["endpoints"]} == {7}
        assert last.status()["problems"] == []
        assert len(engine.api.get("/volumes")["Volumes"]) == volumes, "no state of a former one is left"


def test_a_new_longshore_that_cannot_serve_is_removed_again(engine: Engine) -> None:
    with project(engine, "compose.yaml", "compose.steady.yaml") as run:
        run("up", "--detach", "--wait")
        before = container(engine, "longshore")
        with Load(port=80, host="web.localhost", rate=100, keep=False) as load:
            said = run.does("./update.sh", code=1, BALANCER_IMAGE=WEB, PATIENCE="2s")
            load.more(20)
        assert load.report.lost == 0, load.report
        assert "the old one goes on" in said
        assert container(engine, "longshore").id == before.id
