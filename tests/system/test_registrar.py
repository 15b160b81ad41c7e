"""A registrar beside a real engine and a real etcd: what runs and is well stands in the registry, and nothing else."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.registrar import Registrar
from tests.lab.waiting import until

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
LABELS = {"longshore.service": "web", "longshore.host": "a.test", "longshore.check": "/"}
PORT = ("-p", "8000")


@pytest.fixture
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def register(etcd: Etcd, engine: Engine) -> Iterator[Callable[..., Registrar]]:
    """A factory of running registrars of one engine that write into one etcd."""
    made = list[Registrar]()

    def start(**more: Any) -> Registrar:
        sources = {"etcd": {"endpoints": etcd.endpoints}}
        made.append(Registrar(**{"engine": engine, "sources": sources, **more}))
        return stack.enter_context(made[-1])

    with ExitStack() as stack:
        yield start
        for registrar in made:
            print(f"--- log of a registrar\n{registrar.log_text()}")  # noqa: T201 - shown when the test failed


def entries(etcd: Etcd, service: str = "web") -> dict[str, Any]:
    """What stands there of a service, by the end of the key."""
    start = f"{PREFIX}/{service}/"
    return {key.removeprefix(start): json.loads(value) for key, value in etcd.keys(start).items()}


def test_a_container_is_registered_with_its_labels_and_leaves_at_its_stop_signal(
    etcd: Etcd, engine: Engine, register: Callable[..., Registrar]
) -> None:
    registrar = register(register={"zone": "eu-1a", "name": "box", "tags": ["blue"]})
    labels = LABELS | {"longshore.weight": 50, "longshore.sticky": "SRV", "longshore.register-check": "tcp"}
    web = engine.run("web-1", labels=labels, env={"DRAIN": 3}, args=PORT)
    until(lambda: entries(etcd))
    (lease,) = registrar.until_held("web", 1)
    ((identity, entry),) = entries(etcd).items()
    assert identity == f"{web.short}:8000"
    owner = entry.pop("owner")
    assert entry.pop("since") == pytest.approx(web.inspect() and lease["since"], abs=60)
    assert owner.startswith("box.")
    assert len(owner) == len("box.12345678")
    assert entry == {
        "host": "127.0.0.1",
        "port": web.published(),
        "name": "web-1",
        "weight": 50,
        "labels": {"longshore.host": "a.test", "longshore.check": "/", "longshore.sticky": "SRV"},
        "tags": ["blue"],
        "zone": "eu-1a",
        "machine": "box",
    }
    assert (lease["owner"], lease["registry"], lease["ttl"], lease["check"]) == (owner, "etcd", 2.0, "tcp: ok")
    stopping = threading.Thread(target=web.stop)
    stopping.start()
    until(lambda: not entries(etcd))
    assert web.status == "running", "the entry is gone while the container still finishes its work"
    stopping.join()
    assert any("withdrew web/" in event["what"] for event in registrar.api("/v1/events")["events"])


def test_both_sections_in_one_process(etcd: Etcd, engine: Engine, balance: Callable[..., Balancer]) -> None:
    """The balancer registers what runs here, and serves it once; the section may come and go while it runs."""
    config = {
        "sources": {"etcd": {"endpoints": etcd.endpoints}},
        "register": {"address": "127.0.0.1", "ttl": "2s", "docker": {"host": engine.host}},
    }
    b = balance(engine=engine, config=config)
    web = engine.run("web-1", labels=LABELS, args=PORT)
    until(lambda: set(entries(etcd)) == {f"{web.short}:8000"})
    b.serves("a.test", 1)
    b.until(lambda status: [lease["state"] for lease in status["registrar"]["leases"]] == ["held"])
    assert not b.status()["problems"]
    b.configure({"register": None})
    b.send(signal.SIGHUP)
    until(lambda: not entries(etcd))
    b.until(lambda status: status["registrar"] is None)
    b.serves("a.test", 1)
    b.configure({"register": config["register"]})
    b.send(signal.SIGHUP)
    until(lambda: entries(etcd))
    b.terminate()
    assert not entries(etcd)
