"""The two contenders of *propagation*, each in a lane of its own: an engine, an HAProxy, and who stands between them.

The lanes are alike but for that one program and share nothing but the machine: while one is measured, no event reaches
the other. Neither is asked anything between an event and the moment that it notes.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.binaries import haproxy
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.engine_client import WEB
from tests.lab.waiting import until

SERVICE, HOST = "bench", "bench.test"
LABELS = {"longshore.service": SERVICE, "longshore.host": HOST}
FLOOR = Path(__file__).with_name("floor.py")
CONFIG = """global
    stats socket {socket} mode 600 level admin
    stats timeout 1h
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend http
    bind 127.0.0.1:{port}
    default_backend bench
backend bench
    balance roundrobin
"""


class Lane(ABC):
    """An engine whose containers end up in an HAProxy."""

    name: str
    port: int  # where HAProxy serves them
    options: tuple[str, ...] = ()  # of `docker create`

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.engine = Engine()

    def __enter__(self) -> Self:
        """Start it; returns when it is ready."""
        with ExitStack() as self._stack:
            self._stack.enter_context(self.engine)
            self._start(self._stack)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End it without a trace."""
        self._stack.close()

    @abstractmethod
    def _start(self, stack: ExitStack) -> None: ...

    @abstractmethod
    def routed(self) -> dict[str, float]:
        """Return when HAProxy had answered for each container, by its short id; Unix seconds."""

    @abstractmethod
    def gone(self, copies: Iterable[Container]) -> None:
        """Take the servers of removed containers out of HAProxy, or wait until that is done."""

    def create(self, count: int) -> list[Container]:
        """Make containers that are ready to be started."""
        labels = [word for key, value in LABELS.items() for word in ("--label", f"{key}={value}")]
        made = [self.engine.docker("create", *self.options, *labels, WEB) for _ in range(count)]
        return [Container(self.engine, identity, identity[:12]) for identity in made]

    def started(self, since: float) -> dict[str, float]:
        """Return the time of the engine's start events, by the short id of the container; Unix seconds."""
        span = f"since={since - 1:.6f}&until={time.time():.6f}"
        lines = self.engine.api.call("GET", f"/events?{span}").decode().splitlines()
        events = [json.loads(line) for line in lines]
        return {event["id"][:12]: event["timeNano"] / 1e9 for event in events if event.get("Action") == "start"}

    def answering(self, requests: int) -> set[str]:
        """Return the names of the copies that answer requests through HAProxy; an error if one is not answered."""
        found = set()
        for _ in range(requests):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/", headers={"Host": HOST, "Connection": "close"})
            answer = connection.getresponse()
            assert answer.read(), "an answer without a body"
            connection.close()
            assert answer.status == 200, f"{self.name}: status {answer.status}"
            found.add(answer.getheader("X-Who") or "")
        return found


class Bare(Lane):
    """The bare script, and an HAProxy that was configured by hand."""

    name = "bare script"

    def __init__(self, series: str) -> None:
        super().__init__()
        self._binary = haproxy(series)
        self._socket = self.engine.folder / "haproxy.sock"
        self.port = ports.free()
        self._routed: dict[str, float] = {}
        self._ready = threading.Event()

    def _start(self, stack: ExitStack) -> None:
        config = self.engine.folder / "haproxy.cfg"
        config.write_text(CONFIG.format(socket=self._socket, port=self.port))
        with (self.engine.folder / "haproxy.log").open("w") as log:
            stack.callback(_end, subprocess.Popen([self._binary, "-W", "-db", "-f", config], stderr=log))
        until(self._socket.exists, what="HAProxy has its socket")
        self._scripts(stack)

    def _scripts(self, stack: ExitStack) -> None:
        self._script(stack, FLOOR, self.engine.socket, self._socket, SERVICE)

    def _script(self, stack: ExitStack, *words: str | Path) -> None:
        """Start a script, and wait until it says that it is ready."""
        self._ready.clear()
        script = subprocess.Popen([sys.executable, "-I", *words], stdout=subprocess.PIPE, text=True)
        stack.callback(_end, script)
        threading.Thread(target=self._listen, args=(script,), daemon=True).start()
        until(self._ready.is_set, what="the bare script is ready")

    def _listen(self, script: subprocess.Popen[str]) -> None:
        assert script.stdout
        with script.stdout:
            for line in script.stdout:
                identity, _, nanoseconds = line.partition(" ")
                if nanoseconds:
                    self._routed[identity[:12]] = int(nanoseconds) / 1e9
                else:
                    self._ready.set()

    def routed(self) -> dict[str, float]:
        """Return what the script printed."""
        return dict(self._routed)

    def gone(self, copies: Iterable[Container]) -> None:
        """Delete the servers, which the script does not."""
        for copy in copies:
            server = f"{SERVICE}/{copy.short}"
            until(lambda name=server: "deleted" in self._say(name), what=f"{server} is deleted")  # type: ignore[misc]

    def _say(self, server: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(f"set server {server} state maint; del server {server}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


class Longshore(Lane):
    """`longshore up`, with the HAProxy that it manages."""

    name = "longshore"

    def __init__(self, series: str) -> None:
        super().__init__()
        self.balancer = Balancer(engine=self.engine, series=series)
        self.port = self.balancer.port

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(self.balancer)

    def routed(self) -> dict[str, float]:
        """Return what its status says: `routed_since` is noted when HAProxy's answer has been read."""
        endpoints = self.balancer.service(SERVICE).get("endpoints", [])
        return {each["id"][:12]: each["routed_since"] for each in endpoints if each["routed_since"]}

    def gone(self, copies: Iterable[Container]) -> None:
        """Wait until longshore has deleted the servers."""
        names = [copy.short for copy in copies]
        until(lambda: not any(name in self.balancer.runtime("show servers state") for name in names), what="deleted")


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
