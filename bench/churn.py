"""*Churn*: how many requests are lost while everything around a service changes. None may be.

Open loop and exact (`tests/lab/load_client.py`): each request has its due time whatever the others do, nothing is ever
repeated by the client, and each ends in exactly one class; all but "answered below 400, whole body" count as lost. Four
loads run at once: GET and POST, on kept connections and on a new one for each request. Every request takes 20 ms, so
that some are under way whenever something happens. The copies log the id of each POST they receive.

The bars: nothing lost, no POST delivered twice, and no reload but the one that the case is about. One exception, by
nature: a copy that breaks off requests (SIGKILL, or a program that just exits) takes those with it that may not be
repeated. Such a loss counts as one only if the copy's log names the POST: it was received and never answered. Those are
counted in their own column and named below the table; any other loss misses the bar.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from bench.cases import CASES, Case
from bench.stage import Result, Stage
from bench.table import ms, table
from tests.lab.binaries import haproxy, version

HEAD = ("case", "HAProxy", "sent", "lost", "POSTs cut", "POSTs twice", "reloads", "p99 ms", "")


def run(series: Sequence[str], rate: float, only: Sequence[str]) -> bool:
    """Play every case with each HAProxy, print a table, and say whether every bar was met."""
    chosen = [case for case in CASES if not only or any(word in case.name for word in only)]
    rows, notes = list[list[str]](), list[str]()
    for each in series:
        name = version(haproxy(each))
        with Stage(each, rate) as stage:
            for case in chosen:
                print(f"churn: {case.name}, HAProxy {name}", file=sys.stderr, flush=True)
                result = play(case, stage)
                missed = misses(case, result)
                rows.append([case.name, name, *figures(result), ", ".join(missed)])
                notes += [f"{case.name}, HAProxy {name}: {line}" for line in told(result)]
    rows.sort(key=lambda row: [case.name for case in chosen].index(row[0]))
    shown = len(HEAD) if any(row[-1] for row in rows) else len(HEAD) - 1
    print(f"{rate:g} requests a second, each of 20 ms:\n")
    print(table(HEAD[:shown], [row[:shown] for row in rows]))
    for note in notes:
        print(f"\n{note}")
    return not any(row[-1] for row in rows)


def play(case: Case, stage: Stage) -> Result:
    """One case from its first copy to the last request."""
    stage.start(case.copies, **dict(case.env))
    before = stage.balancer.reloads
    pid = stage.balancer.pid
    loads = stage.loads()
    with ExitStack() as stack:
        for load in loads.values():
            stack.enter_context(load)
        for load in loads.values():
            load.more(20)
        case.do(stage)
        for load in loads.values():
            load.more(20)
    same = stage.balancer.pid == pid  # else it counts anew
    return stage.finish(loads, stage.balancer.reloads - (before if same else 0))


def misses(case: Case, result: Result) -> list[str]:
    """Say which bars were missed."""
    allowed = set(result.cut) if case.cuts else set[str]()
    found = []
    if not result.counted or any(failure.id not in allowed for failure in result.lost):
        found.append("LOST")
    if result.repeated:
        found.append("REPEATED")
    if result.reloads != case.reloads:
        found.append("RELOADED")
    return found


def figures(result: Result) -> list[str]:
    """Return the cells of one case, from "sent" on."""
    other = len(result.lost) - len(result.cut)
    slowest = max(report.p99 for report in result.reports.values())
    counts = (result.sent, other, len(result.cut), len(result.repeated), result.reloads)
    return [*(f"{count:,}" for count in counts), ms(slowest)]


def told(result: Result) -> list[str]:
    """Name what was lost or repeated."""
    lines = []
    for name, report in result.reports.items():
        for failure in report.failures:
            why = "received by the copy that ended" if failure.id in result.cut else "LOST"
            lines.append(f"{name} {failure.id}: {failure.kind}, {why}")
    return lines + [f"POST {each} was delivered more than once" for each in result.repeated]
