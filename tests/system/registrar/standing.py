"""What stands in an etcd, looked at once or all the time."""

from __future__ import annotations

import json
import threading
from typing import Any, Self

from tests.lab.container import Container
from tests.lab.etcd import Etcd

PREFIX = "/longshore/services"
LABELS = {"longshore.service": "web", "longshore.host": "a.test", "longshore.check": "/"}
PORT = ("-p", "8000")


def entries(etcd: Etcd, service: str = "web", prefix: str = PREFIX) -> dict[str, Any]:
    """Return what stands there of a service, by the end of the key."""
    start = f"{prefix}/{service}/"
    return {key.removeprefix(start): json.loads(value) for key, value in etcd.keys(start).items()}


def ids(*containers: Container) -> set[str]:
    """Return how entries of these containers' port 8000 are called."""
    return {f"{each.short}:8000" for each in containers}


class Sight:
    """Looks again and again while the block lasts: how many entries of a service there were at least and at most."""

    def __init__(self, etcd: Etcd, service: str = "web") -> None:
        self.least, self.most, self.looks = 10**9, 0, 0
        self._etcd, self._service = etcd, service
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.01):
            count = len(self._etcd.keys(f"{PREFIX}/{self._service}/"))
            self.least, self.most, self.looks = min(self.least, count), max(self.most, count), self.looks + 1
