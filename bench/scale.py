"""*Scale*: what 10,000 endpoints in 1,000 services under one prefix of etcd cost, beside 100 in 10.

*Start*: from the first question to etcd until everything is known as services, against a bare list of the prefix: the
same questions by the same HTTP client, each value read as the JSON it is, and nothing made of it. (HAProxy has to read
its ten thousand servers too when it starts; that takes it as long as it takes it, and is shown without a bar.)

*One change*: the processor time of the whole longshore process, user and system, for one endpoint that is registered or
withdrawn: watch, services, merge, first check, plan, commands, and what is written to disk afterwards. What the process
takes anyway (it asks HAProxy for its checks' results, compares now and then) is measured in between, for as long and
while nothing changes, and subtracted. The two sizes run side by side and take turns with their changes, so that a
disturbed minute disturbs both.

All endpoints are one web service on as many loopback addresses: each answers its first check.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.table import ms, table
from longshore.agent.collecting import collect_seldom
from longshore.clients.etcd import EtcdClient
from longshore.config.schema import EtcdSource
from longshore.core.layouts import layout_of
from longshore.core.merge import Merger
from longshore.core.model import Snapshot
from longshore.core.registered import Options
from longshore.sources import registered
from longshore.sources.etcd import EtcdAdapter
from tests.lab.balancer import Balancer
from tests.lab.binaries import haproxy, version
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web

SIZES = ((10, 10), (1000, 10))  # services, endpoints of each
START_BAR = 3.0
CHANGE_BAR = 1.5
PACE = 10.0  # changes a second
AFTER = 2.0  # seconds after the last change, in which it is written to disk
SLICES = 10  # in which nothing changes, and as many in which something does
LISTS = 9


@dataclass
class Town:
    """One balancer and what it serves."""

    balancer: Balancer
    etcd: Etcd
    prefix: str
    services: int
    port: int
    ready: float = 0.0  # seconds until it served everything
    change: float = 0.0  # processor seconds a change

    def cpu(self) -> float:
        """Processor seconds that the process has used so far."""
        threads = Path(f"/proc/{self.balancer.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def turn(self, number: int) -> None:
        """Register an endpoint, or withdraw it at the next turn, and wait until HAProxy knows."""
        service, comes = (number // 2) % self.services, number % 2 == 0
        key = f"{self.prefix}/{name_of(service)}/more"
        if comes:
            self.etcd.put(key, value_of(service, f"127.9.{service % 250}.{service // 250 + 1}", self.port, "more"))
        else:
            self.etcd.delete(key)
        self._await(service, there=comes)

    def _await(self, service: int, *, there: bool) -> None:
        """Wait until HAProxy has the endpoint, or sends it nothing more."""
        host = f"{name_of(service)}.test"
        backend = self._backend(host)

        def done() -> bool:
            rows = [row.split() for row in self.balancer.runtime(f"show servers state {backend}").splitlines()]
            found = [row for row in rows if len(row) > 6 and row[3].startswith("more.") and row[6] == "0"]
            return bool(found) == there

        until(done, 20, f"{host}: {'in' if there else 'out'}", every=0.005)

    def _backend(self, host: str) -> str:
        path = self.balancer.state / "haproxy" / "maps" / "routes.map"
        answer = self.balancer.runtime(f"get map {path} {host}/#")
        return answer.partition('value="')[2].partition('"')[0]


def name_of(service: int) -> str:
    """The name of a service by its number."""
    return f"shop-{service:04}"


def value_of(service: int, address: str, port: int, name: str) -> str:
    """An entry as a registrar writes it."""
    labels = {"longshore.host": f"{name_of(service)}.test", "longshore.check-interval": "5m"}
    found = {"host": address, "port": port, "name": name, "labels": labels, "zone": "eu-1a", "machine": "h1"}
    return json.dumps(found | {"owner": "h1.0a1b2c3d", "since": 1700000000.5})


def entries(prefix: str, services: int, each: int, port: int) -> Iterator[tuple[str, str]]:
    """Everything that stands under a prefix."""
    for service in range(services):
        for copy in range(each):
            number = service * each + copy
            address = f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
            name = f"{number:06x}{'0' * 6}:8000"
            yield f"{prefix}/{name_of(service)}/{name}", value_of(service, address, port, f"shop-{number}")


def fill(etcd: Etcd, found: Sequence[tuple[str, str]]) -> None:
    """Write many entries."""
    for first in range(0, len(found), 100):
        puts = [
            {"request_put": {"key": b64encode(key.encode()).decode(), "value": b64encode(value.encode()).decode()}}
            for key, value in found[first : first + 100]
        ]
        etcd.ask("kv/txn", {"success": puts})


async def bare(etcd: Etcd, prefix: str) -> float:
    """Seconds of a list of the prefix, from the connection on."""
    began = time.perf_counter()
    async with EtcdClient(etcd.endpoints) as client:
        listing = await client.list(f"{prefix}/".encode())
    assert all(json.loads(pair.value)["host"] for pair in listing.pairs)
    return time.perf_counter() - began


async def known(etcd: Etcd, prefix: str, services: int) -> float:
    """Seconds until a source knows everything, and it is merged."""
    settings = EtcdSource(endpoints=tuple(etcd.endpoints), prefix=prefix)
    merger, whole = Merger(), asyncio.Event()

    def publish(snapshot: Snapshot) -> None:
        if not snapshot.stale and len(merger.merge([snapshot]).services) == services:
            whole.set()

    began = time.perf_counter()
    watching = registered.watch(Options("etcd", layout_of("native"), prefix), EtcdAdapter(settings), publish)
    task = asyncio.create_task(watching)
    await asyncio.wait_for(whole.wait(), 60)
    seconds = time.perf_counter() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return seconds


def started(stack: ExitStack, etcd: Etcd, series: str, size: tuple[int, int], web: Web) -> Town:
    """Fill a prefix and start a balancer on it."""
    prefix = f"/scale/{size[0] * size[1]}"
    etcd.ask("kv/deleterange", {"key": b64encode(prefix.encode()).decode(), "range_end": "MA=="})
    fill(etcd, list(entries(prefix, *size, web.port)))
    sources = {"etcd": {"endpoints": etcd.endpoints, "prefix": prefix}}
    balancer = Balancer(series=series, config={"sources": sources})
    began = time.monotonic()
    stack.enter_context(balancer)
    town = Town(balancer, etcd, prefix, size[0], web.port, time.monotonic() - began)
    last = f"{name_of(size[0] - 1)}.test"
    until(lambda: balancer.request(last).status == 200, 60, f"{last} answers")
    return town


def measure(towns: Sequence[Town], changes: int) -> None:
    """Slices in which nothing changes, and slices as long in which the towns take turns, PACE changes a second each."""
    count = changes // SLICES // 2 * 2
    length = count / PACE + AFTER
    used = {(town.prefix, changing): 0.0 for town in towns for changing in (False, True)}
    for turn in range(SLICES):
        for changing in (False, True):
            began, before = time.monotonic(), [town.cpu() for town in towns]
            for number in range(count) if changing else ():
                for town in towns:
                    town.turn(turn * count + number)
                time.sleep(max(0.0, began + (number + 1) / PACE - time.monotonic()))
            time.sleep(max(0.0, began + length - time.monotonic()))
            seconds = time.monotonic() - began
            for town, start in zip(towns, before, strict=True):
                used[town.prefix, changing] += (town.cpu() - start) * length / seconds
    for town in towns:
        town.change = (used[town.prefix, True] - used[town.prefix, False]) / (SLICES * count)


def run(series: Sequence[str], changes: int) -> bool:
    """Measure with each HAProxy, print tables, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    with Etcd("3.5") as etcd, Web("scale") as web:
        starts = []
        for each in series:
            with ExitStack() as stack:
                towns = [started(stack, etcd, each, size, web) for size in SIZES]
                for town in towns:
                    until(lambda town=town: quiet(town), 60, "nothing is left to do", every=0.5)  # type: ignore[misc]
                measure(towns, changes)
                small, large = (town.change for town in towns)
                met = met and large / small <= CHANGE_BAR
                rows.append(
                    [version(haproxy(each)), str(changes), ms(small), ms(large), verdict(large / small, CHANGE_BAR)]
                )
                starts.append([version(haproxy(each)), *(f"{town.ready:.1f}" for town in towns)])
        prefix = f"/scale/{SIZES[1][0] * SIZES[1][1]}"
        listed, read = list[float](), list[float]()
        collect_seldom()  # as `longshore up` does
        for _ in range(LISTS):
            listed.append(asyncio.run(bare(etcd, prefix)))
            read.append(asyncio.run(known(etcd, prefix, SIZES[1][0])))
    floor, ours = statistics.median(listed), statistics.median(read)
    met = met and ours / floor <= START_BAR
    sizes = [f"{count * each:,} endpoints" for count, each in SIZES]
    print(f"Start with {sizes[1]}, in ms:\n")
    print(
        table(
            ["", "bare list", "known as services", "ratio"],
            [["etcd 3.5", ms(floor), ms(ours), verdict(ours / floor, START_BAR)]],
        )
    )
    print("\nFrom `longshore up` to the first answer, in s:\n")
    print(table(["HAProxy", *sizes], starts))
    print("\nProcessor time of one change, in ms:\n")
    print(table(["HAProxy", "changes", *sizes, "ratio"], rows))
    return met


def verdict(ratio: float, bar: float) -> str:
    """A ratio, and whether it is within its bar."""
    return f"{ratio:.2f}" + ("" if ratio <= bar else " MISSED")


def quiet(town: Town) -> bool:
    """Whether the process takes no more than a fifth of a processor."""
    used = town.cpu()
    time.sleep(2)
    return town.cpu() - used < 0.4
