"""Registries with which something is wrong: each fault is said once, and nothing else is disturbed by it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.etcd import Etcd
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
PREFIX = "/longshore/services/web"
SECRET = "not this one"


class Old(BaseHTTPRequestHandler):
    """What an etcd without the gateway's paths of today says."""

    def do_POST(self) -> None:
        """Know no such path."""
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def old() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def web(own_network: None) -> Iterator[Web]:
    with Web("web") as web:
        yield web


def said(status: Any, *words: str) -> list[str]:
    """Return the problems that have all these words in them."""
    texts = [f"{problem['where']}: {problem['what']}" for problem in status["problems"]]
    return [text for text in texts if all(word in text for word in words)]


def test_each_fault_is_said_once_and_disturbs_nothing(
    balance: Callable[..., Balancer], web: Web, old: str, tmp_path: Path
) -> None:
    """For who reads, and for who registers: wrong passwords, expired certificates, old servers, foreign values."""
    password = tmp_path / "password"
    password.write_text(SECRET)
    with Etcd("3.5") as good, Etcd("3.4") as closed, Etcd("3.5", tls="server", days=0) as expired:
        closed.secure("of root")
        good.put(f"{PREFIX}/a", json.dumps({"host": "127.0.0.1", "port": web.port}))
        good.put(f"{PREFIX}/same", json.dumps({"host": "127.0.0.1", "port": web.port}))
        good.put(f"{PREFIX}/huge", json.dumps({"host": "127.0.0.1", "port": 1, "x": "y" * 1_000_000}))
        good.put(f"{PREFIX}/rubbish", b"\xff\x00")
        sources = {
            "good": {"type": "etcd", "endpoints": good.endpoints},
            "closed": {
                "type": "etcd",
                "endpoints": closed.endpoints,
                "username": "root",
                "password-file": str(password),
            },
            "expired": {"type": "etcd", "endpoints": expired.endpoints, "tls": {"ca": str(expired.authority.ca)}},
            "old": {"type": "etcd", "endpoints": [old]},
        }
        process = {"address": "127.0.0.1", "port": web.port + 1, "check": "none", "id": "own"}
        register = {
            "registry": list(sources),
            "containers": False,
            "address": "127.0.0.1",
            "ttl": "3s",
            "services": {"own": process},
        }
        balancer = balance(config={"sources": sources, "register": register})
        balancer.until(lambda status: len(status["problems"]) >= 9, "everything was tried")
        balancer.request("web.localhost")
        balancer.until(lambda status: [lease["state"] for lease in held(status, "good")] == ["held"], "it is there")
        status = balancer.status()
        for words in (
            ("source closed", "refuses this user and password"),
            ("registry closed", "refuses this user and password"),
            ("source expired", "certificate", "expired"),
            ("registry expired", "certificate", "expired"),
            ("source old", "not etcd 3.4 or newer"),
            ("registry old", "not etcd 3.4 or newer"),
            ("web/huge", "at most 262,144 are read"),
            ("web/rubbish", "is not JSON"),
            ("has the same address as",),
        ):
            assert len(said(status, *words)) == 1, (words, status["problems"])
        assert balancer.serves("web.localhost", 1) == {"web"}
        assert len(good.keys("/longshore/services/own/")) == 1
        assert SECRET not in json.dumps(status) + balancer.log_text() + json.dumps(balancer.api("/v1/events"))


def held(status: Any, registry: str) -> list[Any]:
    return [lease for lease in status["registrar"]["leases"] if lease["registry"] == registry]


def test_an_id_that_stands_there_twice_is_said_once(balance: Callable[..., Balancer], web: Web) -> None:
    """Two hosts go by it; the newer one counts."""
    with ZooKeeper() as zookeeper:
        for owner, port in (("h1", web.port + 1), ("h2", web.port)):
            entry = {"host": "127.0.0.1", "port": port, "owner": owner}
            zookeeper.put(f"{PREFIX}/a_", json.dumps(entry), sequence=True)
        balancer = balance(config={"sources": {"zookeeper": {"hosts": zookeeper.hosts}}})
        assert balancer.serves("web.localhost", 1) == {"web"}
        assert len(said(balancer.status(), "has the same id as")) == 1, balancer.status()["problems"]
