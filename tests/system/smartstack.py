"""What tests of Synapse's configurations share: its file, entries as Nerve writes them, and who answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.foreign import ForeignBalancer
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

SERIES = ["2.6", "3.4"]
HTTP = ["mode http", "timeout connect 1s", "timeout client 9s", "timeout server 9s"]
PATH = "/nerve/services/web/services"


class Synapse:
    """Synapse's file, written as a mapping; each start is a balancer that reads it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.path = folder / "synapse.conf.json"
        self.port = ports.free()
        self._stack = stack

    def up(
        self, services: dict[str, Any], series: str = "3.4", top: dict[str, Any] | None = None, **haproxy: Any
    ) -> ForeignBalancer:
        """Write the file and start; `top` goes beside the section haproxy."""
        whole = {"services": services, "haproxy": {"global": [], "defaults": HTTP} | haproxy} | (top or {})
        self.path.write_text(json.dumps(whole, indent=1))
        balancer = ForeignBalancer("--synapse", self.path, series=series, port=self.port)
        self._stack.callback(lambda: print(balancer.log_text()))  # noqa: T201 - shown when the test failed
        return self._stack.enter_context(balancer)

    def web(self, discovery: Any, **keys: Any) -> dict[str, Any]:
        """A service found this way, on `port`, checked by HAProxy."""
        haproxy = {"port": self.port, "server_options": "check inter 500ms", "backend": ["option httpchk GET /health"]}
        return {"web": {"discovery": discovery, "haproxy": haproxy} | keys}


@pytest.fixture
def synapse(tmp_path: Path, own_network: None) -> Iterator[Synapse]:
    with ExitStack() as stack:
        yield Synapse(tmp_path, stack)


@pytest.fixture(scope="module")
def zookeeper(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def webs(own_network: None) -> Iterator[Callable[[str], Web]]:
    """Start a web service under a name."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Web(name))


def enter(zookeeper: ZooKeeper, web: Web, path: str = PATH, **more: Any) -> str:
    """Write an entry as Nerve does."""
    value = json.dumps({"host": "127.0.0.1", "port": web.port, "name": web.name} | more)
    return zookeeper.put(f"{path}/{web.name}_", value, ephemeral=True, sequence=True)


def clear(zookeeper: ZooKeeper, *paths: str) -> None:
    """Remove what an earlier test wrote."""
    for path in paths or (PATH,):
        zookeeper.put(path)
        zookeeper.delete(path)


def found_at(zookeeper: ZooKeeper, path: str = PATH, **more: Any) -> dict[str, Any]:
    return {"method": "zookeeper", "hosts": zookeeper.hosts, "path": path} | more


def equals(label: str, value: str) -> dict[str, str]:
    return {"label": label, "value": value, "condition": "equals"}


def answered(balancer: ForeignBalancer, names: set[str], *, host: str = "x", path: str = "/", port: int = 0) -> None:
    """Wait until exactly these answer."""

    def met() -> bool:
        answers = [balancer.request(host, path, port=port) for _ in range(4 * len(names))]
        return {answer.who for answer in answers} == names

    until(met, what=f"{names} answer")
