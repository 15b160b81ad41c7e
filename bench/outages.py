"""*Outages*: a host whose power is cut, and a registry of three that loses its leader and then its quorum.

Hosts are namespaces with an engine and a registrar each, joined by a switch (`tests/lab/hosts.py`); a balancer on one
more host serves one service of two hosts' containers. The load is open loop and exact, GET on new connections, for as
long as it all takes.

- *Power cut*: one of two hosts is gone at once, without a word: nothing answers, nothing is refused. Requests that it
  had when it went are lost with it and counted apart as "in flight"; any other loss misses the bar. Its entries must be
  gone from the registry within the TTL and a second, counted from the cut.
- *Quorum*: the leader is killed, then one more, until every TTL has run out; a container is started meanwhile; then
  both come back. Nothing may be lost, no endpoint dropped, and the new container must be served at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.table import table
from tests.lab.binaries import haproxy, version
from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.hosts import Host, HostBalancer, Hosts
from tests.lab.load import Load, Report
from tests.lab.waiting import until
from tests.lab.zookeeper import ZooKeeper

KINDS = ("etcd", "zookeeper", "consul")
TTL = 5.0
GRACE = 1.0
RATE = 100.0
WEB = {"longshore.service": "web", "longshore.host": "a.test"}
Ensemble = Etcd | ZooKeeper | Consul


@dataclass(frozen=True)
class Result:
    """What one outage cost."""

    report: Report
    in_flight: int  # of the lost: those that the host had when it went
    expired: float | None = None  # seconds from the cut until its entries were gone
    dropped: int = 0  # endpoints that were not served any more, and lived

    @property
    def lost(self) -> int:
        """Requests lost that a live endpoint could have answered."""
        return self.report.lost - self.in_flight

    @property
    def met(self) -> bool:
        """Whether the bars were met."""
        return not self.lost and not self.dropped and (self.expired or 0.0) <= TTL + GRACE


def run(series: Sequence[str], kinds: Sequence[str]) -> bool:
    """Play both with each HAProxy and registry, print a table, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    with Hosts(3, engines=2) as hosts:
        for each in series:
            for kind in kinds:
                for name, play in CASES.items():
                    result = play(hosts, each, kind)
                    hosts.reset()
                    met = met and result.met
                    rows.append(
                        [
                            f"{version(haproxy(each))}, {kind}: {name}",
                            f"{result.report.sent:,}",
                            f"{result.lost}",
                            f"{result.in_flight}",
                            f"{result.report.longest:.1f}",
                            "" if result.expired is None else f"{result.expired - TTL:+.1f}",
                            f"{result.dropped}" + ("" if result.met else " MISSED"),
                        ]
                    )
    print(f"{RATE:g} requests a second; a TTL of {TTL:g} s:\n")
    head = [
        "HAProxy, registry: outage",
        "sent",
        "lost",
        "in flight",
        "longest s",
        "entries gone, s after TTL",
        "dropped",
    ]
    print(table(head, rows))
    return met


def power_cut(hosts: Hosts, series: str, kind: str) -> Result:
    """Cut the power of one host of two."""
    with ensemble(kind, 1, hosts.address) as (registry, source), serving(hosts, series, source) as (one, _, balancer):
        with Load(address=balancer.address, port=balancer.port, host="a.test", rate=RATE) as load:
            load.more(100)
            cut = time.time()
            one.power_off()
            until(lambda: _entries(registry) == 1, 60, "the entries of the host are gone", every=0.05)
            expired = time.time() - cut
            balancer.until_up("web", 1)
            load.more(100)
        flying = [each for each in load.report.failures if each.at <= cut]
        return Result(load.report, len(flying), expired)


def quorum(hosts: Hosts, series: str, kind: str) -> Result:
    """Take two of three from the registry, and bring them back."""
    with ensemble(kind, 3, hosts.address) as (registry, source), serving(hosts, series, source) as (_, two, balancer):
        with Load(address=balancer.address, port=balancer.port, host="a.test", rate=RATE) as load:
            load.more(50)
            dead = [registry.leader()]
            registry.kill(dead[0])
            dead.append(registry.leader())
            registry.kill(dead[1])
            new = two.run(labels=WEB, args=("-p", "8000"))
            began = time.time()
            until(lambda: time.time() - began > TTL + GRACE, 60, "every TTL has run out", every=0.5)
            dropped = 2 - len(balancer.service("web").get("endpoints", ()))
            for member in dead:
                registry.start(member, wait=False)
            balancer.until_up("web", 3)
            load.more(100)
        assert new.short in load.report.by, "the new container was not served"
        return Result(load.report, 0, None, dropped)


CASES: dict[str, Callable[[Hosts, str, str], Result]] = {"power cut": power_cut, "quorum": quorum}


@contextmanager
def serving(hosts: Hosts, series: str, source: dict[str, Any]) -> Iterator[tuple[Host, Host, HostBalancer]]:
    """Have a container, registered, on each of two hosts, and a balancer on the third."""
    one, two, client = hosts
    section = {"ttl": f"{TTL:g}s", "interval": "1s", "timeout": "1s"}
    with (
        one.registrar(sources=source, register=section),
        two.registrar(sources=source, register=section),
        client.balancer(series=series, config={"sources": source}) as balancer,
    ):
        for host in (one, two):
            host.run(labels=WEB, args=("-p", "8000"))
        balancer.until_up("web", 2)
        yield one, two, balancer


@contextmanager
def ensemble(kind: str, size: int, place: str) -> Iterator[tuple[Ensemble, dict[str, Any]]]:
    """Start a registry of so many members; gives it and the section `sources` for it."""
    if kind == "etcd":
        with Etcd(size=size).at(place) as etcd:
            yield etcd, {"etcd": {"endpoints": etcd.endpoints}}
    elif kind == "zookeeper":
        with ZooKeeper(size=size).at(place) as zookeeper:
            yield zookeeper, {"zookeeper": {"hosts": zookeeper.hosts}}
    else:
        with Consul(size=size, clients=size // 3).at(place) as consul:
            yield consul, {"consul": {"address": consul.address(3 if size == 3 else 0)}}


def _entries(registry: Ensemble) -> int:
    """Count what counts as registered."""
    if isinstance(registry, Etcd):
        return len(registry.keys("/longshore/services/web/"))
    if isinstance(registry, ZooKeeper):
        return len([path for path in registry.nodes("/longshore/services/web") if path.rstrip("/").count("/") > 2])
    return sum(check["Status"] == "passing" for check in registry.checks().values())
