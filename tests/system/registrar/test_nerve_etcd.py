"""`longshore register --nerve` with the reporter etcd: Nerve's keys and values, under a lease of API v3."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.etcd import Etcd
from tests.lab.nerve_registrar import INSTANCE, NerveRegistrar
from tests.lab.waiting import until
from tests.lab.web import Web

pytestmark = pytest.mark.system


@pytest.fixture
def web(own_network: None) -> Iterator[Web]:
    with Web() as web:
        yield web


def reported(etcd: Etcd, web: Web, **more: Any) -> dict[str, Any]:
    """A service as Nerve's file says it."""
    host, _, port = etcd.endpoints[0].removeprefix("http://").rpartition(":")
    return {
        "host": "127.0.0.1",
        "port": web.port,
        "reporter_type": "etcd",
        "etcd_host": host,
        "etcd_port": int(port),
        "etcd_path": "/services/web",
        "check_interval": 0.2,
        "checks": [{"type": "http", "uri": "/health", "timeout": 5}],
        **more,
    }


@pytest.mark.parametrize("path", [pytest.param("/services/web", id="A3 reporter_type: etcd, in a real one")])
def test_keys_and_values_are_nerves_under_a_lease(etcd: Etcd, web: Web, path: str) -> None:
    key = f"{path}/{INSTANCE}/{web.port:020}"
    value = f'{{"host":"127.0.0.1","port":{web.port},"name":"i-1.example.com","weight":3}}'
    with NerveRegistrar({"web": reported(etcd, web, weight=3)}) as registrar:
        until(lambda: etcd.keys() == {key: value})
        (lease,) = etcd.leases()
        assert etcd.rest_of(lease) <= 2, "as long as Nerve's TTL, and at least 2 s"
        web.get("/fail?on")
        until(lambda: not etcd.keys())
        web.get("/fail?off")
        until(lambda: etcd.keys() == {key: value})
        registrar.terminate()
        assert not etcd.keys()


def test_a_run_after_a_crash_adopts_and_sighup_moves_without_a_gap(etcd: Etcd, web: Web) -> None:
    with NerveRegistrar({"web": reported(etcd, web)}, ttl="30s") as registrar:
        (key,) = until(etcd.keys)
        revision = etcd.revisions()[key]
        registrar.kill9()
        registrar.start()
        registrar.until_held("web", 1)
        assert etcd.revisions()[key] == revision, "adopted, not written anew"
        registrar.say({"web": reported(etcd, web, weight=5)})
        registrar.send(signal.SIGHUP)
        until(lambda: '"weight":5' in etcd.keys()[key])
        registrar.say({"web": reported(etcd, web, weight=5, etcd_path="/elsewhere")})
        registrar.send(signal.SIGHUP)
        seen = list[set[str]]()

        def moved() -> bool:
            seen.append(set(etcd.keys()))
            return seen[-1] == {key.replace("/services/web", "/elsewhere")}

        until(moved)
        assert all(seen), "there was an entry at every moment"
        registrar.kill9()
    until(lambda: not etcd.keys(), 60)
