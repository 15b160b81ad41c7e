"""The bare script that longshore is measured against: the least anybody would have to write.

    python floor.py DOCKER_SOCKET HAPROXY_SOCKET BACKEND

It listens to the engine's events; at each `start` it inspects the container, down a connection that stays open, and
sends HAProxy one line, as `socat` would: add this server, enable it. No labels, no routes, no check whether the
container listens yet, no stop, no restart of anything, no second service. For each start it prints "ID NANOSECONDS":
the moment at which HAProxy had answered. (A connection to HAProxy that stays open would gain nothing: measured.)
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from typing import Any


class Engine(http.client.HTTPConnection):
    """A connection to the engine's unix socket."""

    def connect(self) -> None:
        """Connect to the socket that `host` names."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)

    def get(self, target: str) -> http.client.HTTPResponse:
        """Ask, and return the answer unread."""
        self.request("GET", target, headers={"Host": "localhost"})
        return self.getresponse()


def tell(haproxy: str, command: str) -> None:
    """Send a command to HAProxy's runtime socket and wait until it has answered, which it ends by closing."""
    with socket.socket(socket.AF_UNIX) as runtime:
        runtime.connect(haproxy)
        runtime.sendall(f"{command}\n".encode())
        while runtime.recv(65536):
            pass


def main(engine: str, haproxy: str, backend: str) -> None:
    """Run until killed."""
    stream, questions = Engine(engine), Engine(engine)
    questions.get("/_ping").read()
    events = stream.get("/events?filters=" + '{"event":["start"],"type":["container"]}')
    print("ready", flush=True)
    while line := events.readline():
        event: dict[str, Any] = json.loads(line)
        identity = event["id"]
        networks = json.load(questions.get(f"/containers/{identity}/json"))["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        server = f"{backend}/{identity[:12]}"
        tell(haproxy, f"add server {server} {address}:8000; enable server {server}")
        print(identity, time.time_ns(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
