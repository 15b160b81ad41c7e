"""The two bare scripts that registration is measured against: the least anybody would have to write.

    python registry_floor.py write REGISTRY ADDRESS DOCKER_SOCKET
    python registry_floor.py read REGISTRY ADDRESS HAPROXY_SOCKET BACKEND

`write` listens to the engine's events; at each `start` it inspects the container and puts one entry into the registry:
no lease, no check, no withdrawal. `read` watches the registry and sends HAProxy one line for each new entry; for each
it prints "ID NANOSECONDS", the moment at which HAProxy had answered. REGISTRY is etcd, zookeeper or consul, ADDRESS
its "host:port". All connections stay open, but that to HAProxy, as in `floor.py`.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

SERVICE = "bench"
FOLDER = f"/bare/{SERVICE}"


class Registry(Protocol):
    """A place to put entries, and to see them appear."""

    def put(self, identity: str, address: str) -> None:
        """Put one entry."""

    def appearing(self) -> Iterator[tuple[str, str]]:
        """Yield each entry as it appears: its id and "host:port"."""


class Etcd:
    """API v3, by its JSON gateway."""

    def __init__(self, address: str) -> None:
        self._host = address
        self._connection = http.client.HTTPConnection(address)

    def put(self, identity: str, address: str) -> None:
        """Put one key."""
        asked(self._connection, "POST", "/v3/kv/put", {"key": coded(f"{FOLDER}/{identity}"), "value": coded(address)})

    def appearing(self) -> Iterator[tuple[str, str]]:
        """Watch the folder."""
        stream = http.client.HTTPConnection(self._host)
        span = {"key": coded(f"{FOLDER}/"), "range_end": coded(f"{FOLDER}0"), "filters": ["NODELETE"]}
        stream.request("POST", "/v3/watch", json.dumps({"create_request": span}))
        answer = stream.getresponse()
        answer.readline()
        print("ready", flush=True)
        while line := answer.readline():
            for event in json.loads(line)["result"].get("events", ()):
                key, value = (base64.b64decode(event["kv"][name]).decode() for name in ("key", "value"))
                yield key.rpartition("/")[2], value


class ZooKeeper:
    """One node for each entry."""

    def __init__(self, address: str) -> None:
        from kazoo.client import KazooClient

        self._client = KazooClient(address)
        self._client.start()
        self._client.ensure_path(FOLDER)

    def put(self, identity: str, address: str) -> None:
        """Make one node."""
        self._client.create(f"{FOLDER}/{identity}", address.encode(), ephemeral=True)

    def appearing(self) -> Iterator[tuple[str, str]]:
        """Watch the folder: a watch tells of one change, and only that there was one."""
        known: set[str] = set()
        told = threading.Event()
        while True:
            told.clear()
            now = set(self._client.get_children(FOLDER, watch=lambda _: told.set()))
            if not known:
                print("ready", flush=True)
                known = now | {""}
            for identity in now - known:
                yield identity, self._client.get(f"{FOLDER}/{identity}")[0].decode()
            known |= now
            told.wait()


class Consul:
    """One service of the agent for each entry."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def put(self, identity: str, address: str) -> None:
        """Register one service."""
        host, _, port = address.partition(":")
        entry = {"ID": identity, "Name": SERVICE, "Address": host, "Port": int(port)}
        asked(self._connection, "PUT", "/v1/agent/service/register", entry)

    def appearing(self) -> Iterator[tuple[str, str]]:
        """Ask for all instances with a blocking query, again and again."""
        index, known = "0", set[str]()
        print("ready", flush=True)
        while True:
            self._connection.request("GET", f"/v1/catalog/service/{SERVICE}?wait=60s&index={index}")
            answer = self._connection.getresponse()
            index = answer.headers["X-Consul-Index"]
            for each in json.load(answer):
                if each["ServiceID"] not in known:
                    known.add(each["ServiceID"])
                    yield each["ServiceID"], f"{each['ServiceAddress']}:{each['ServicePort']}"


class Engine(http.client.HTTPConnection):
    """A connection to the engine's unix socket, named by `host`."""

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def asked(connection: http.client.HTTPConnection, method: str, target: str, body: object = None) -> bytes:
    """Ask, and return the whole answer."""
    connection.request(method, target, None if body is None else json.dumps(body), {"Host": "localhost"})
    return connection.getresponse().read()


def coded(text: str) -> str:
    """Write text as etcd's JSON wants it."""
    return base64.b64encode(text.encode()).decode()


def write(registry: Registry, engine: str) -> None:
    """Put what starts into the registry, until killed."""
    stream, questions = Engine(engine), Engine(engine)
    stream.request("GET", '/events?filters={"event":["start"],"type":["container"]}', headers={"Host": "localhost"})
    events = stream.getresponse()
    print("ready", flush=True)
    while line := events.readline():
        identity = json.loads(line)["id"]
        found: dict[str, Any] = json.loads(asked(questions, "GET", f"/containers/{identity}/json"))
        port = found["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"]
        registry.put(identity[:12], f"127.0.0.1:{port}")


def read(registry: Registry, haproxy: str, backend: str) -> None:
    """Route what appears in the registry, until killed."""
    for identity, address in registry.appearing():
        server = f"{backend}/{identity}"
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.connect(haproxy)
            runtime.sendall(f"add server {server} {address}; enable server {server}\n".encode())
            while runtime.recv(65536):
                pass
        print(identity, time.time_ns(), flush=True)


REGISTRIES: dict[str, type[Etcd] | type[ZooKeeper] | type[Consul]] = {
    "etcd": Etcd,
    "zookeeper": ZooKeeper,
    "consul": Consul,
}

if __name__ == "__main__":
    half, kind, place, *rest = sys.argv[1:]
    if half == "write":
        write(REGISTRIES[kind](place), *rest)
    else:
        read(REGISTRIES[kind](place), *rest)
