"""*Churn*: how many requests are lost while everything around a service changes. None may be.

Open loop and exact (`tests/lab/load_client.py`): each request has its due time whatever the others do, nothing is ever
repeated by the client, and each ends in exactly one class; all but "answered below 400, whole body" count as lost. Four
loads run at once: GET and POST, on kept connections and on a new one for each request. Every request takes 20 ms, so
that some are under way whenever something happens. The copies log the id of each POST they receive.

The bars: nothing lost, no POST delivered twice, and no reload but those that the case is about. One exception, by
nature: a copy that drops what it is doing (SIGKILL, or a program that just exits) takes those requests with it that may
not be sent again. That is a POST for which HAProxy answers 502 while the copy ends, or closes a kept connection: the
signs that it was sent and never answered. Those are counted apart as "cut" and named below the table; any other loss
misses the bar.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from bench.cases import CASES, Case
from bench.stage import Result, Stage
from bench.table import table
from tests.lab.binaries import haproxy, version

MOST_NAMES = 20


def run(series: Sequence[str], rate: float, only: Sequence[str]) -> bool:
    """Play every case with each HAProxy, print a table, and say whether every bar was met."""
    chosen = [case for case in CASES if not only or any(word in case.name for word in only)]
    rows = {case.name: [case.name] for case in chosen}
    head, notes, met = ["case"], list[str](), True
    for each in series:
        name = version(haproxy(each))
        head += [f"{name}: sent", "lost", "reloads"]
        with Stage(each, rate) as stage:
            for case in chosen:
                print(f"churn: {case.name}, HAProxy {name}", file=sys.stderr, flush=True)
                result = play(case, stage)
                missed = misses(case, result)
                met = met and not missed
                rows[case.name] += cells(result)
                notes += [f"{case.name}, HAProxy {name}: {line}" for line in (*missed, *named(result))]
    print(f"{rate:g} requests a second, each of 20 ms; GET and POST, connections kept and new:\n")
    print(table(head, list(rows.values())))
    print("".join(f"\n{note}" for note in notes))
    return met


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
    return stage.finish(loads, cuts=case.cuts, reloads=stage.balancer.reloads - (before if same else 0))


def misses(case: Case, result: Result) -> list[str]:
    """Say which bars were missed."""
    found = []
    if result.lost or not result.counted:
        found.append("MISSED: requests were lost")
    if result.repeated:
        found.append("MISSED: POSTs were delivered more than once")
    if result.reloads != case.reloads:
        found.append(f"MISSED: {result.reloads} reloads")
    return found


def cells(result: Result) -> list[str]:
    """Return "sent", "lost" and "reloads"."""
    cut = f" + {len(result.cut)} cut" if result.cut else ""
    return [f"{result.sent:,}", f"{len(result.lost)}{cut}", str(result.reloads)]


def named(result: Result) -> list[str]:
    """Name what was lost, cut or repeated."""
    groups = {
        "lost": [f"{each.id} ({each.kind})" for each in result.lost],
        "POSTs that were cut": [each.id for each in result.cut],
        "POSTs delivered more than once": list(result.repeated),
    }
    return [
        f"{what}: {', '.join(ids[:MOST_NAMES])}{' …' if len(ids) > MOST_NAMES else ''}"
        for what, ids in groups.items()
        if ids
    ]
