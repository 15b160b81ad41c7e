"""Traffic of every kind at once, with books that show what was lost, and what was delivered and how often.

copies = Copies(engine, {"longshore.host": "a.test"})
one = copies.start()
with Traffic(balancer) as traffic:
    ...                      # change things
    traffic.more(30)         # and see what the next requests of each kind say
assert traffic.lost == {}
copies.check(traffic)        # every POST arrived, and only once
"""

from __future__ import annotations

import csv
import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.balancer import Answer, Balancer
from tests.lab.container import Container
from tests.lab.engine_client import EngineClient
from tests.lab.load import Failure, Load
from tests.lab.waiting import until


class Traffic:
    """GET and POST, each on kept and on new connections: `rate` of each kind a second, while the block lasts."""

    def __init__(self, *balancers: Balancer, host: str = "a.test", rate: float = 30, timeout: float = 30) -> None:
        self.loads = {
            f"{method} on {'kept' if keep else 'new'} connections to :{balancer.port}": Load(
                port=balancer.port, host=host, rate=rate, keep=keep, method=method, timeout=timeout
            )
            for balancer in balancers
            for method in ("GET", "POST")
            for keep in (True, False)
        }
        self._stack = ExitStack()

    def __enter__(self) -> Traffic:
        """Start; returns when every kind flows."""
        try:
            for load in self.loads.values():
                self._stack.enter_context(load)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until every request has ended."""
        self._stack.close()

    def more(self, count: int) -> None:
        """Wait until of each kind `count` requests more than now have ended."""
        goals = {kind: load.progress()[1] + count for kind, load in self.loads.items()}
        until(lambda: all(self.loads[kind].progress()[1] > goal for kind, goal in goals.items()), 60, f"{count} more")

    @property
    def lost(self) -> dict[str, str]:
        """Which kinds lost requests, in words."""
        return {kind: str(load.report) for kind, load in self.loads.items() if load.report.lost}

    @property
    def posts(self) -> list[Load]:
        """The loads of POSTs."""
        return [load for kind, load in self.loads.items() if kind.startswith("POST")]

    def failures(self, method: str) -> list[Failure]:
        """The lost requests of a method."""
        return [each for kind, load in self.loads.items() if kind.startswith(method) for each in load.report.failures]

    @property
    def by(self) -> set[str]:
        """The names of the web services that answered."""
        return {who for load in self.loads.values() for who in load.report.by}


class Copies:
    """Containers of the same labels, and every POST that reached one of them, also when it is gone."""

    def __init__(self, engine: EngineClient, labels: Mapping[str, str], *args: str) -> None:
        """`args` are more options of `docker run`."""
        self._engine = engine
        self._labels = labels
        self._args = args
        self._started: list[Container] = []
        self._removed: dict[Container, list[str]] = {}

    def start(self, **env: object) -> Container:
        """Start one more."""
        container = self._engine.run(labels=self._labels, env={"LOG": 1, **env}, args=self._args)
        self._started.append(container)
        return container

    def rm(self, container: Container) -> None:
        """Kill and remove one; its log is read when it is complete."""
        with Path(container.inspect()["LogPath"]).open() as log:
            container.rm()
            lines = [str(json.loads(line)["log"]).split() for line in log]
        self._removed[container] = [words[1] for words in lines if words[:1] == ["POST"]]

    def posts(self) -> dict[Container, list[str]]:
        """The ids of all POSTs that each got: who lives is asked, of the others the log is read."""
        found = dict(self._removed)
        for each in self._started:
            if each not in found:
                found[each] = each.get("/seen").split() if each.status == "running" else each.posts()
        return found

    def check(self, traffic: Traffic) -> None:
        """Every POST that was answered well had arrived, and none arrived twice."""
        arrived = [post for posts in self.posts().values() for post in posts]
        for load in traffic.posts:
            assert load.twice(arrived) == []
            own = {post for post in arrived if post.startswith(load.prefix)}
            failed = {failure.id for failure in load.report.failures}
            sent = {f"{load.prefix}-0-{number}" for number in range(load.report.sent)}
            assert own <= sent
            assert sent - failed <= own


def in_flight(balancer: Balancer, service: str) -> int:
    """How many requests a service's endpoints work on, as HAProxy counts."""
    backend = balancer.service(service)["backend"]
    rows = csv.DictReader(balancer.runtime("show stat").lstrip("# ").splitlines())
    return sum(int(row["scur"]) for row in rows if row["pxname"] == backend and row["svname"] != "BACKEND")


@contextmanager
def slow(
    balancer: Balancer, service: str, count: int, *, host: str = "slow.test", seconds: float = 2.5, more: int = 0
) -> Iterator[dict[str, Future[Answer]]]:
    """`count` slow GETs and as many POSTs that are all being worked on when the block begins; by their X-Id.

    `more` is how many other requests the service works on.
    """
    path = f"/slow?{seconds * 1000:.0f}"
    with ThreadPoolExecutor(2 * count) as pool:
        asked = {
            f"{method}-{number}": pool.submit(
                balancer.request,
                host,
                path,
                method=method,
                headers={"X-Id": f"{method}-{number}"},
                body="x" if method == "POST" else None,
                timeout=60,
            )
            for method in ("GET", "POST")
            for number in range(count)
        }
        until(lambda: in_flight(balancer, service) == 2 * count + more, what=f"{2 * count} slow requests are worked on")
        yield asked


class Stream:
    """A long chunked answer, begun: ten chunks a second."""

    def __init__(self, balancer: Balancer, chunks: int, host: str = "a.test") -> None:
        self._chunks = chunks
        self._connection = http.client.HTTPConnection("127.0.0.1", balancer.port, timeout=60)
        self._connection.request("GET", f"/stream?{chunks}", headers={"Host": host, "Connection": "close"})
        self._answer = self._connection.getresponse()
        self._lines = [self._answer.readline().decode()]

    def rest(self) -> None:
        """Read to the end; every chunk must be there, from the same web service."""
        try:
            self._lines += self._answer.read().decode().splitlines(keepends=True)
        finally:
            self._connection.close()
        who = self._answer.getheader("X-Who")
        assert self._lines == [f"host={who} chunk={n + 1} of={self._chunks}\n" for n in range(self._chunks)]


class WebSocket:
    """An open websocket to the lab's web service, which echoes."""

    def __init__(self, balancer: Balancer, host: str = "a.test") -> None:
        self._socket = socket.create_connection(("127.0.0.1", balancer.port), timeout=30)
        self._reader = self._socket.makefile("rb")
        self._socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = [line.strip() for line in iter(self._reader.readline, b"\r\n")]
        assert b" 101 " in head[0], head

    def echo(self, text: str) -> str:
        """Send a text and return what comes back."""
        data = text.encode()
        self._socket.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)  # a mask of zeros
        head = self._reader.read(2)
        assert len(head) == 2, "the websocket was closed"
        return self._reader.read(head[1]).decode()

    def close(self) -> None:
        """Close it without a word."""
        self._reader.close()
        self._socket.close()


def twice(posts: Mapping[Container, list[str]]) -> list[str]:
    """The ids that arrived more than once, at one container or at several."""
    counted = Counter(post for each in posts.values() for post in each)
    return [post for post, count in counted.items() if count > 1]
