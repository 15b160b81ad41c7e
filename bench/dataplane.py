"""*Data plane*: what a request costs through longshore's HAProxy, beside one that was configured by hand.

Both have the same two services of two copies each, told apart by host, with checks; both repeat what a dying server did
not answer, and say X-Forwarded-For and -Proto. longshore's has whatever else longshore puts there: its maps and rules,
and servers added at runtime. `wrk` keeps 32 connections busy against one after the other, in turns, and the one that
begins alternates.

The bar is on the processor time that HAProxy spends on a request, which is its own work and nobody else's; requests per
second, where copies, load and HAProxy share the machine's processors, are shown beside it. POSTs have no bar: longshore
gives each a fresh connection to its copy, so that none dies with one that was kept (ADR 7), and that costs.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.table import table
from tests.lab import packages, ports
from tests.lab.balancer import Balancer
from tests.lab.binaries import haproxy, version
from tests.lab.waiting import until
from tests.lab.web import Web

BAR = 1.15
CONNECTIONS = 32
HOSTS = {"shop.test": 2, "blog.test": 2}
KINDS = {"GET, kept connections": "", "GET, new connections": "close", "POST, kept connections": "post"}
SCRIPTS = {
    "": "",
    "close": 'wrk.headers["Connection"] = "close"\n',
    "post": 'wrk.method = "POST"\nwrk.body = "a=1"\n',
}
CONFIG = """global
    maxconn 4096
    stats socket {folder}/haproxy.sock mode 600 level admin
defaults
    mode http
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    option forwardfor
frontend http
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
    {rules}
{backends}"""


@dataclass
class Costs:
    """Of one contender and kind of request: one figure per turn."""

    processor: list[float] = field(default_factory=list)  # seconds of HAProxy per request
    rate: list[float] = field(default_factory=list)  # requests per second


@dataclass(frozen=True)
class Contender:
    """An HAProxy and where it listens."""

    name: str
    port: int
    pid: int  # of the process that does the work

    def spent(self) -> float:
        """Return the processor time it has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(series: Sequence[str], turns: int, seconds: int) -> bool:
    """Measure with each HAProxy, print a table, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    for each in series:
        for kind, (byhand, ours) in measure(each, turns, seconds).items():
            ratio = median(ours.processor) / median(byhand.processor)
            good = ratio <= BAR or KINDS[kind] == "post"
            met = met and good
            rows.append(
                [
                    f"{version(haproxy(each))}, {kind}",
                    *(f"{median(costs.processor) * 1e6:.1f}" for costs in (byhand, ours)),
                    f"{ratio:.2f}" + ("" if good else " MISSED"),
                    *(f"{median(costs.rate):.0f}" for costs in (byhand, ours)),
                ]
            )
    head = ["HAProxy, requests", "by hand µs", "longshore µs", "ratio", "by hand req/s", "longshore req/s"]
    print("HAProxy's processor time per request, and requests per second:\n")
    print(table(head, rows))
    return met


def measure(series: str, turns: int, seconds: int) -> dict[str, tuple[Costs, Costs]]:
    """Let both take turns with each kind of request."""
    with ExitStack() as stack:
        copies = {
            host: [stack.enter_context(Web(f"{host}-{number}")) for number in range(count)]
            for host, count in HOSTS.items()
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="longshore-bench-")))
        for name, script in SCRIPTS.items():
            (folder / f"{name}.lua").write_text(script)
        contenders = (_by_hand(stack, series, copies, folder), _longshore(stack, series, copies))
        found = {kind: (Costs(), Costs()) for kind in KINDS}
        for turn in range(turns):
            for kind, costs in found.items():
                pairs = list(zip(contenders, costs, strict=True))
                for contender, cost in pairs if turn % 2 else reversed(pairs):
                    _turn(contender, cost, folder / f"{KINDS[kind]}.lua", seconds)
        return found


def _turn(contender: Contender, costs: Costs, script: Path, seconds: int) -> None:
    """Keep one HAProxy busy for a while. Every request must be answered well."""
    before, began = contender.spent(), time.monotonic()
    program = packages.tree("wrk", "bookworm", ["wrk"], patch=["usr/bin/wrk"]) / "usr" / "bin" / "wrk"
    command: list[Path | str] = [
        program,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        script,
        "-H",
        "Host: shop.test",
    ]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{contender.port}/"], capture_output=True, text=True, check=True
    ).stdout
    requests = re.search(r"(\d+) requests in", said)
    if requests is None or "Non-2xx" in said:
        raise RuntimeError(f"{contender.name}: {said}")
    costs.processor.append((contender.spent() - before) / int(requests[1]))
    costs.rate.append(int(requests[1]) / (time.monotonic() - began))


def _by_hand(stack: ExitStack, series: str, copies: dict[str, list[Web]], folder: Path) -> Contender:
    rules = "\n    ".join(f"use_backend {host} if {{ hdr(host) -i {host} }}" for host in copies)
    backends = "\n".join(
        f"backend {host}\n    balance roundrobin\n"
        + "".join(f"    server {web.name} 127.0.0.1:{web.port} check inter 10s\n" for web in webs)
        for host, webs in copies.items()
    )
    port = ports.free()
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(folder=folder, port=port, rules=rules, backends=backends))
    process = subprocess.Popen(
        [haproxy(series), "-db", "-f", config], stderr=subprocess.DEVNULL, start_new_session=True
    )  # a session of its own, as longshore has: the kernel shares processors out by sessions
    stack.callback(process.wait)
    stack.callback(process.kill)
    until((folder / "haproxy.sock").exists, what="HAProxy has its socket")
    return Contender("by hand", port, process.pid)


def _longshore(stack: ExitStack, series: str, copies: dict[str, list[Web]]) -> Contender:
    services = {
        host.partition(".")[0]: {"host": host, "endpoints": [f"127.0.0.1:{web.port}" for web in webs]}
        for host, webs in copies.items()
    }
    balancer = stack.enter_context(Balancer(series=series, config={"services": services, "sources": {}}))
    for name, service in services.items():
        balancer.until_up(name, len(service["endpoints"]))
    return Contender("longshore", balancer.port, balancer.worker)
