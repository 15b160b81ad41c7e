"""The two bare scripts that agents are measured against: the least anybody would have to write.

    python agent_floor.py read ADDRESS HAPROXY_SOCKET BACKEND
    python agent_floor.py write ADDRESS DOCKER_SOCKET

`write` listens to the engine's events; at each `start` it inspects the container and sends one line down a connection
to `read`, which sends HAProxy one line; it prints "ID NANOSECONDS", the moment at which HAProxy had answered. No check,
no stop, no second machine, no restart of either. ADDRESS is "host:port". (More in `floor.py`.)
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from typing import Any


class Engine(http.client.HTTPConnection):
    """A connection to the engine's unix socket, named by `host`."""

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)

    def get(self, target: str) -> http.client.HTTPResponse:
        """Ask, and return the answer unread."""
        self.request("GET", target, headers={"Host": "localhost"})
        return self.getresponse()


def write(address: str, engine: str) -> None:
    """Tell what starts, until killed."""
    host, _, port = address.partition(":")
    wire = socket.create_connection((host, int(port)))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream, questions = Engine(engine), Engine(engine)
    events = stream.get('/events?filters={"event":["start"],"type":["container"]}')
    print("ready", flush=True)
    while line := events.readline():
        identity = json.loads(line)["id"]
        found: dict[str, Any] = json.loads(questions.get(f"/containers/{identity}/json").read())
        place = next(iter(found["NetworkSettings"]["Networks"].values()))["IPAddress"]
        wire.sendall(f"{identity[:12]} {place}:8000\n".encode())


def read(address: str, haproxy: str, backend: str) -> None:
    """Route what is told, until killed."""
    host, _, port = address.partition(":")
    with socket.create_server((host, int(port))) as listening:
        print("ready", flush=True)
        wire, _ = listening.accept()
        for line in wire.makefile("r"):
            identity, place = line.split()
            server = f"{backend}/{identity}"
            with socket.socket(socket.AF_UNIX) as runtime:
                runtime.connect(haproxy)
                runtime.sendall(f"add server {server} {place}; enable server {server}\n".encode())
                while runtime.recv(65536):
                    pass
            print(identity, time.time_ns(), flush=True)


if __name__ == "__main__":
    half, *rest = sys.argv[1:]
    (write if half == "write" else read)(*rest)
