"""deploy/compose with real Compose: it works at once, scales, and the balancer never sees the engine's socket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import compose
from tests.lab.boxed import Boxed, load
from tests.lab.container import Container
from tests.lab.engine import WEB, Engine
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
Run = Callable[..., str]


@contextmanager
def project(engine: Engine, *files: str) -> Iterator[Run]:
    """Give what runs `docker compose` in the folder; everything is down and gone afterwards."""
    env = {
        **os.environ,
        "DOCKER_HOST": engine.host,
        "DOCKER_SOCKET": str(engine.socket),
        "BALANCER_IMAGE": load(engine),
        "IMAGE": WEB,
        "COMPOSE_ANSI": "never",
    }
    which = [word for file in files for word in ("--file", file)]

    def run(*arguments: str) -> str:
        command = [str(compose.binary()), *which, *arguments]
        done = subprocess.run(command, cwd=FOLDER, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        yield run
    finally:
        run("down", "--volumes", "--timeout", "1")


def container(engine: Engine, service: str) -> Container:
    return next(each for each in engine.containers() if each.name == f"longshore-{service}-1")


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
