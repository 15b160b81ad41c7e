"""*Agents*: from a container's start on one machine to traffic on another, told by `longshore agent`.

The same as *propagation*, with a wire between: on one side `longshore agent` beside a script that sends one line for
each start, on the other `longshore up` beside a script that passes it on to HAProxy (`agent_floor.py`). The machines
are processes of one machine here, so that no network hides what the programs cost. The bar is twice the scripts, at
p50.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.lanes import Bare, Lane, Longshore
from bench.propagation import BAR, contest
from bench.table import ms, percentile, table
from tests.lab import ports
from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.binaries import haproxy, version

SCRIPT = Path(__file__).with_name("agent_floor.py")


class BareAgents(Bare):
    """Two bare scripts and a wire."""

    name = "bare scripts"

    def _scripts(self, stack: ExitStack) -> None:
        address = f"127.0.0.1:{ports.free()}"
        self._script(stack, SCRIPT, "read", address, self._socket, "bench")
        self._script(stack, SCRIPT, "write", address, self.engine.socket)


class LongshoreAgents(Longshore):
    """An agent and a balancer without a socket of the engine."""

    def __init__(self, series: str) -> None:
        Lane.__init__(self)
        self._address = f"127.0.0.1:{ports.free()}"
        source = {"addresses": [self._address], "networks": ["bridge"]}
        self.balancer = Balancer(series=series, config={"sources": {"agents": source}})
        self.port = self.balancer.port

    def _start(self, stack: ExitStack) -> None:
        env = {**os.environ, "LONGSHORE_AGENT_BIND": self._address, "LONGSHORE_AGENT_HOST": self.engine.host}
        with (self.engine.folder / "agent.log").open("w") as log:
            agent = subprocess.Popen([LONGSHORE, "agent"], env=env, stdout=log, stderr=log)
        stack.callback(agent.wait)
        stack.callback(agent.kill)
        super()._start(stack)


def run(series: Sequence[str], starts: int) -> bool:
    """Measure with each HAProxy, print a table, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    for each in series:
        with BareAgents(each) as bare, LongshoreAgents(each) as longshore:
            floor, ours = (times.isolated for times in contest(bare, longshore, starts, 0))
        ratio = percentile(ours, 50) / percentile(floor, 50)
        met = met and ratio <= BAR
        shown = [f"{ms(percentile(times, 50))} / {ms(percentile(times, 99))}" for times in (floor, ours)]
        rows.append(
            [version(haproxy(each)), str(len(ours)), *shown, f"{ratio:.2f}" + ("" if ratio <= BAR else " MISSED")]
        )
    print("Started on one machine → routed on another, told by agents, in ms:\n")
    print(table(["HAProxy", "starts", "bare scripts p50 / p99", "longshore p50 / p99", "ratio of p50"], rows))
    return met
