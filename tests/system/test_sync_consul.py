"""`longshore sync` into Consul, read beside where it came from: copies come and go, and no request is lost."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.lab.web import Web

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
LABELS = {"longshore.host": "a.test", "longshore.check-interval": "200ms"}
COPIES = 4


@pytest.fixture
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def consul(own_network: None) -> Iterator[Consul]:
    with Consul() as agent:
        yield agent


@pytest.fixture
def webs(own_network: None) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Web(f"web-{number}")) for number in range(COPIES)]


def servers(balancer: Balancer) -> set[str]:
    """The names of the servers that HAProxy has for the service."""
    backend = balancer.service("web")["backend"]
    rows = [line.split() for line in balancer.runtime(f"show servers state {backend}").splitlines()[2:]]
    return {row[3] for row in rows if len(row) > 4}


def test_copies_are_withdrawn_at_the_end_and_a_balancer_of_both_loses_nothing(
    etcd: Etcd, consul: Consul, webs: list[Web], balance: Callable[..., Balancer], tmp_path: Path
) -> None:
    """That a copy goes says nothing of the endpoint: the original keeps it, and HAProxy keeps its server."""
    for web in webs:
        entry = {"host": "127.0.0.1", "port": web.port, "name": web.name, "labels": LABELS, "owner": "host1.aa"}
        etcd.put(f"{PREFIX}/web/{web.name}", json.dumps(entry))
    sources = {"etcd": {"endpoints": etcd.endpoints}, "consul": {"address": consul.address()}}
    config = tmp_path / "sync.yaml"
    config.write_text(json.dumps({"sources": sources}))
    command = [str(LONGSHORE), "sync", "etcd", "consul", "--config", str(config)]
    b = balance(config={"sources": sources})
    b.serves("a.test", COPIES)
    before, reloads = servers(b), b.reloads
    with Load(port=b.port, host="a.test", rate=60) as load:
        for _ in range(2):
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
                try:
                    until(lambda: len(consul.checks()) == COPIES, what="the copies stand in Consul")
                    b.until(lambda status: all(source["endpoints"] == COPIES for source in status["sources"]))
                    load.more(30)
                    assert len(b.service("web")["endpoints"]) == COPIES, "each endpoint counts once"
                finally:
                    process.send_signal(signal.SIGTERM)
                    told = process.communicate(timeout=40)[0]
            assert "4 copies withdrawn from consul" in told
            until(lambda: not consul.checks(), what="the copies are gone")
            load.more(60)
            assert servers(b) == before
            b.serves("a.test", COPIES)
    assert load.report.lost == 0, load.report
    assert b.reloads == reloads
