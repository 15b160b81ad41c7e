"""*Registration*: from a container's start on one host to traffic on another, through a registry.

The same as *propagation*, with a registry between: on one side `longshore register` beside a script that puts one entry
for each start, on the other `longshore up` beside a script that watches and tells HAProxy (`registry_floor.py`). Hosts
are processes of one machine here, so that no network hides what the programs cost; containers publish their port.

longshore checks an endpoint before it registers it, keeps it under a lease, a session or a TTL check, and checks it
once more where it balances. The bar is three times the scripts, at p50, for each registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.lanes import Bare, Lane, Longshore
from bench.propagation import contest
from bench.table import ms, percentile, table
from tests.lab.balancer import Balancer
from tests.lab.binaries import haproxy, version
from tests.lab.consul import Consul
from tests.lab.etcd import Etcd
from tests.lab.registrar import Registrar
from tests.lab.zookeeper import ZooKeeper

BAR = 3.0
KINDS = ("etcd", "zookeeper", "consul")
SCRIPT = Path(__file__).with_name("registry_floor.py")
PUBLISHED = ("-p", "8000")


class BareHosts(Bare):
    """Two bare scripts with a registry between."""

    name = "bare scripts"
    options = PUBLISHED

    def __init__(self, series: str, kind: str, address: str) -> None:
        super().__init__(series)
        self._registry = (kind, address)

    def _scripts(self, stack: ExitStack) -> None:
        self._script(stack, SCRIPT, "read", *self._registry, self._socket, "bench")
        self._script(stack, SCRIPT, "write", *self._registry, self.engine.socket)


class LongshoreHosts(Longshore):
    """A registrar and a balancer with a registry between."""

    options = PUBLISHED

    def __init__(self, series: str, kind: str, source: dict[str, Any]) -> None:
        Lane.__init__(self)
        self._sources = {kind: source}
        self.balancer = Balancer(series=series, config={"sources": self._sources})
        self.port = self.balancer.port

    def _start(self, stack: ExitStack) -> None:
        section = {"ttl": "10s", "interval": "2s", "timeout": "1s"}
        stack.enter_context(Registrar(engine=self.engine, sources=self._sources, register=section))
        super()._start(stack)


def run(series: Sequence[str], kinds: Sequence[str], starts: int) -> bool:
    """Measure with each HAProxy and registry, print a table, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    for each in series:
        for kind in kinds:
            with (
                registry(kind) as (address, source),
                BareHosts(each, kind, address) as bare,
                LongshoreHosts(each, kind, source) as longshore,
            ):
                floor, ours = (times.isolated for times in contest(bare, longshore, starts, 0))
            ratio = percentile(ours, 50) / percentile(floor, 50)
            met = met and ratio <= BAR
            shown = [f"{ms(percentile(times, 50))} / {ms(percentile(times, 99))}" for times in (floor, ours)]
            name = f"{version(haproxy(each))}, {kind}"
            rows.append([name, str(len(ours)), *shown, f"{ratio:.2f}" + ("" if ratio <= BAR else " MISSED")])
    print("Started on one host → routed on another, in ms:\n")
    print(table(["HAProxy, registry", "starts", "bare scripts p50 / p99", "longshore p50 / p99", "ratio of p50"], rows))
    return met


@contextmanager
def registry(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Start a registry; gives its "host:port", and the source that longshore is told."""
    if kind == "etcd":
        with Etcd() as etcd:
            yield etcd.endpoints[0].removeprefix("http://"), {"endpoints": etcd.endpoints}
    elif kind == "zookeeper":
        with ZooKeeper() as zookeeper:
            yield zookeeper.hosts[0], {"hosts": zookeeper.hosts}
    else:
        with Consul() as consul:
            yield consul.address().removeprefix("http://"), {"address": consul.address()}
