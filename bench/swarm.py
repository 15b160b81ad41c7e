"""*Swarm*: requests lost while a service of a real Swarm is rolled and scaled, by the way in which it is seen.

Three machines, three copies, requests at a constant rate through a balancer in a container on the manager. Each case
runs with agents on every machine and with the manager's socket alone. Apps close at once at SIGTERM, go on for two
seconds, or ignore it (and are killed after four).

The bar: nothing is lost with agents; with the manager's socket alone, nothing of apps that drain. Then, from the task's
`running` to its first request, at p50: 1.2 s with the manager's socket alone (with agents see *agents*). And what an
idle Swarm of a thousand tasks costs its manager because of us: 2 % of a core.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.table import ms, percentile, table
from tests.lab.contained import BoxedBalancer, run_agents
from tests.lab.load import Load
from tests.lab.swarm import FRONT, Swarm
from tests.lab.waiting import until

HOST = "bench.test"
LABELS = ("--container-label", f"longshore.host={HOST}", "--container-label", "longshore.port=8000")
APPS: dict[str, dict[str, object]] = {"closes at once": {}, "drains": {"DRAIN": 2}, "ignores SIGTERM": {"IGNORE": 1}}
SOURCES = ("agents", "manager")
ROUTED_BAR, COST_BAR = 1.2, 0.02
TASKS, WARM, LONG = 1000, 45.0, 60.0


def run(series: str, rate: float) -> bool:
    """Measure all of it, print tables, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    with Swarm() as swarm:
        run_agents(swarm, "token")
        for source in SOURCES:
            with balancing(swarm, source, series) as balancer:
                for name, case in cases(swarm, balancer):
                    lost, sent, said = case(rate)
                    strict = source == "agents" or "drains" in name
                    met = met and not (strict and lost)
                    rows.append(
                        [f"{source}: {name}", str(sent), f"{lost}" + (" MISSED" if strict and lost else ""), said]
                    )
                times = routed(swarm, balancer)
                met = met and (source == "agents" or percentile(times, 50) <= ROUTED_BAR)
                shown = f"{ms(percentile(times, 50))} / {ms(percentile(times, 99))} ms"
                rows.append([f"{source}: running → routed, p50 / p99", str(len(times)), "", shown])
        share = cost(swarm, series)
    met = met and share <= COST_BAR
    print(table(["case", "requests", "lost", ""], rows))
    print(
        f"\n{TASKS} tasks, nothing happens: {share:.2%} of a core of the manager's engine more than without longshore"
    )
    return met


@contextmanager
def balancing(swarm: Swarm, source: str, series: str) -> Iterator[BoxedBalancer]:
    """Run a balancer in a container on the manager, with one of the sources."""
    token = swarm.manager.folder.parent / "bench-token"
    token.write_text("token")
    agents = {"agents": {"dns": "tasks.agent", "token-file": "/token"}}
    sources = agents if source == "agents" else {"swarm": {"host": swarm.manager.host}}
    options: dict[str, Any] = {"series": series, "files": {token: "/token"}, "socket": source != "agents"}
    with BoxedBalancer(
        swarm.manager, swarm.manager.address, networks=[FRONT], config={"sources": sources}, **options
    ) as balancer:
        yield balancer


def cases(swarm: Swarm, balancer: BoxedBalancer) -> Iterator[tuple[str, Callable[[float], tuple[int, int, str]]]]:
    """Yield each case: it takes the rate and gives lost, sent and the report in words."""
    for app, env in APPS.items():
        for order in ("start-first", "stop-first"):
            options = ("--replicas", "3", "--update-order", order, "--stop-grace-period", "4s", *LABELS)

            def rolled(rate: float, options: Sequence[str] = options, env: dict[str, object] = env) -> Any:
                swarm.create("web", *options, env=env)
                balancer.until_up("web", 3)
                with load(balancer, rate) as during:
                    swarm.update("web", "--force")
                    balancer.until_up("web", 3)
                return ended(swarm, balancer, during)

            yield f"update {order}, {app}", rolled

    def scaled(rate: float) -> Any:
        swarm.create("web", "--replicas", "2", *LABELS, env=APPS["drains"])
        balancer.until_up("web", 2)
        with load(balancer, rate) as during:
            for count in (20, 2):
                swarm.scale("web", count)
                balancer.until_up("web", count)
        return ended(swarm, balancer, during)

    yield "scale 2 → 20 → 2, drains", scaled


def load(balancer: BoxedBalancer, rate: float) -> Load:
    """Requests on kept connections."""
    return Load(port=balancer.port, address=balancer.address, host=HOST, rate=rate)


def ended(swarm: Swarm, balancer: BoxedBalancer, during: Load) -> tuple[int, int, str]:
    """Remove the service and give what became of the requests."""
    swarm.manager.api.delete("/services/web")
    until(lambda: not any("web" in each.name for node in swarm.nodes for each in node.containers()), 60, "it is gone")
    balancer.until_up("web", 0)
    report = during.report
    return report.lost, report.sent, str(report).partition(": ")[2] if report.lost else ""


def routed(swarm: Swarm, balancer: BoxedBalancer) -> list[float]:
    """Return the seconds from a task's `running` (with agents: its container's start) to routed, of 24 tasks."""
    swarm.create("web", "--replicas", "0", *LABELS)
    found = dict[str, float]()
    for _ in range(4):
        swarm.scale("web", 6)
        ends = balancer.until_up("web", 6)["endpoints"]
        found |= {each["id"]: each["routed_since"] - each["since"] for each in ends}
        swarm.scale("web", 0)
        balancer.until_up("web", 0)
    swarm.manager.api.delete("/services/web")
    return list(found.values())


def cost(swarm: Swarm, series: str) -> float:
    """Return the share of a core that the manager's engine uses more because of us; tasks wait for a node for ever."""
    swarm.manager.docker("network", "create", "--driver", "overlay", "--subnet", "10.253.0.0/16", "wide")
    options = ("--replicas", str(TASKS), "--constraint", "node.labels.none==such")
    swarm.create("many", *options, *LABELS, network="wide", wait=False)
    until(lambda: len(swarm.tasks("many")) >= TASKS, 120, f"{TASKS} tasks are there", every=1.0)
    time.sleep(WARM)
    without = busy(swarm)
    with balancing(swarm, "manager", series):
        time.sleep(WARM)
        with_us = busy(swarm)
    return (with_us - without) / LONG


def busy(swarm: Swarm) -> float:
    """Return the seconds of processor that the manager's dockerd uses in a while."""
    process = swarm.manager.engine_pid

    def used() -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(LONG)
    return used() - before
