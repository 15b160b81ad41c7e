"""The bare script that longshore is measured against: the least anybody would have to write.

    python floor.py DOCKER_SOCKET HAPROXY_SOCKET BACKEND

It listens to the engine's events; at each `start` it inspects the container and tells HAProxy, down a connection that
stays open, to add and enable one server. No labels, no routes, no check whether the container listens yet, no stop, no
restart of anything, no second service. For each start it prints "ID NANOSECONDS": the moment of HAProxy's answer.
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


class Runtime:
    """HAProxy's runtime socket in `prompt` mode: every line is answered up to the next "> "."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self.send("prompt")

    def send(self, *lines: str) -> str:
        """Send all lines in one go, and wait for the answer to the last."""
        self._socket.sendall("".join(f"{line}\n" for line in lines).encode())
        said = b""
        while said.count(b"\n> ") < len(lines):
            said += self._socket.recv(65536)
        return said.decode()


def main(engine: str, haproxy: str, backend: str) -> None:
    """Run until killed."""
    stream, questions, runtime = Engine(engine), Engine(engine), Runtime(haproxy)
    questions.get("/_ping").read()
    events = stream.get("/events?filters=" + '{"event":["start"],"type":["container"]}')
    print("ready", flush=True)
    while line := events.readline():
        event: dict[str, Any] = json.loads(line)
        identity = event["id"]
        networks = json.load(questions.get(f"/containers/{identity}/json"))["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        server = f"{backend}/{identity[:12]}"
        runtime.send(f"add server {server} {address}:8000", f"enable server {server}")
        print(identity, time.time_ns(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
