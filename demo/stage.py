"""What the story needs around it: an engine, this machine's HAProxy, and a running longshore."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import remains
from tests.lab.balancer import Balancer
from tests.lab.engine import PREFIX, Engine
from tests.lab.engine_client import EngineClient

IMAGE = "longshore-demo/web:1"
MARK = "longshore-demo"  # a label on everything the demo makes


class Unready(Exception):  # noqa: N818 - it says what is missing
    """The demo cannot start; the message says what to do."""


@contextmanager
def stage() -> Iterator[EngineClient]:
    """Give an engine with the demo's image: the one that runs here, else one of our own."""
    running = running_engine()
    if running is None:
        if os.getuid() != 0:
            raise Unready("no Docker engine runs here, and only root can start one: sudo script/demo")
        remains.sweep(PREFIX)  # of a demo that was killed
    with running_stage(running) if running else Engine() as engine:
        version = engine.api.get("/version")["Version"]
        whose = "of this machine" if running else "started for this demo"
        print(f"engine     Docker {version}, {whose} ({engine.host})", flush=True)
        tidy(engine)  # after a demo that was killed
        engine.load(IMAGE, "EXPOSE 8000")
        yield engine


@contextmanager
def running_stage(engine: EngineClient) -> Iterator[EngineClient]:
    """Leave an engine that is not ours as it was."""
    try:
        yield engine
    finally:
        tidy(engine)
        engine.docker("image", "rm", "--force", IMAGE, check=False)


def tidy(engine: EngineClient) -> None:
    """Remove every container of the demo, also those that a person has added to it."""
    found = engine.docker("ps", "--all", "--quiet", "--filter", f"label={MARK}").split()
    if found:
        engine.docker("rm", "--force", *found)


def running_engine() -> EngineClient | None:
    """Find the engine that runs here, by DOCKER_HOST or at the usual socket; None when there is none."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        print(f"engine     DOCKER_HOST is {host}: containers elsewhere cannot be reached from here, so it is not used")
        return None
    path = Path(host.removeprefix("unix://"))
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except PermissionError:
            raise Unready(f"you may not use the engine at {path}: join the group docker, or sudo script/demo") from None
        except OSError:
            return None
    return EngineClient(path)


def setting(engine: EngineClient, port: int) -> Balancer:
    """Prepare a longshore on a free port; it runs inside its `with` block."""
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise Unready("haproxy is missing: script/setup")
    if port and not is_free(port):
        raise Unready(f"port {port} is in use")
    port = port or next(port for port in range(8080, 8180) if is_free(port))
    config = {"frontends": {"http": f"127.0.0.1:{port}"}}
    return Balancer(engine=engine, binary=Path(found), port=port, config=config)


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not matter
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
