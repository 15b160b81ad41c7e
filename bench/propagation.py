"""*Propagation*: how long after the engine's event a container gets traffic, beside a script that does the minimum.

From: the `timeNano` of the engine's `start` event, as the engine itself tells it afterwards, for both contenders.
To: the moment at which the contender has read HAProxy's answer to the command that enables the server; HAProxy gives
it requests from then on. Each contender notes that moment by the machine's clock in its own process (`floor.py`;
longshore in `routed_since` of its status), so that measuring costs neither of them anything: an observer that asks
HAProxy again and again would take the time it wants to measure. That the notes are true is checked each time: the new
copy must answer a request through HAProxy.

Isolated starts: one copy joins one that serves; nothing else happens. Back to back: twenty copies are started one after
the other as fast as the engine can, and the engine is busy with the next one while the last is being routed.

longshore does more in that time than the script: it reads labels, builds services, settles routes, connects to the
container first and only then lets it in, plans, and compares. The bar is what that may cost: twice the script, at p50.
The contenders take turns, and the one that begins alternates, so that a disturbed minute disturbs both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.lanes import Bare, Lane, Longshore
from bench.table import ms, percentile, table
from tests.lab.binaries import haproxy, version
from tests.lab.waiting import until

BAR = 2.0
BURST = 20
QUIET = 0.4  # seconds in which nobody is asked anything


@dataclass
class Times:
    """Seconds from event to routed, of one contender."""

    isolated: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)


def run(series: Sequence[str], starts: int, bursts: int) -> bool:
    """Measure with each HAProxy, print a table, and say whether every bar was met."""
    rows, met = list[list[str]](), True
    for each in series:
        bare, longshore = measure(each, starts, bursts)
        for title, floor, ours in (
            ("one", bare.isolated, longshore.isolated),
            (f"{BURST} back to back", bare.burst, longshore.burst),
        ):
            ratio = percentile(ours, 50) / percentile(floor, 50)
            met = met and ratio <= BAR
            shown = [f"{ms(percentile(times, 50))} / {ms(percentile(times, 99))}" for times in (floor, ours)]
            name = version(haproxy(each))
            rows.append(
                [f"{name}, {title}", str(len(ours)), *shown, f"{ratio:.2f}" + ("" if ratio <= BAR else " MISSED")]
            )
    head = ["HAProxy, started", "starts", "bare script p50 / p99", "longshore p50 / p99", "ratio of p50"]
    print("Event → routed, in ms:\n")
    print(table(head, rows))
    return met


def measure(series: str, starts: int, bursts: int) -> tuple[Times, Times]:
    """Let both contenders take turns."""
    with Bare(series) as bare, Longshore(series) as longshore:
        return contest(bare, longshore, starts, bursts)


def contest(bare: Lane, longshore: Lane, starts: int, bursts: int) -> tuple[Times, Times]:
    """Let two lanes take turns; each serves one copy already when it begins."""
    lanes = [(bare, Times()), (longshore, Times())]
    for lane, _ in lanes:
        (anchor,) = lane.create(1)
        anchor.start()
        until(lambda lane=lane: lane.answering(1), what=f"{lane.name} serves")  # type: ignore[misc]
    for turn in range(starts):
        for lane, times in lanes if turn % 2 else reversed(lanes):
            times.isolated += trial(lane, 1)
    for turn in range(bursts):
        for lane, times in lanes if turn % 2 else reversed(lanes):
            times.burst += trial(lane, BURST)
    return lanes[0][1], lanes[1][1]


def trial(lane: Lane, count: int) -> list[float]:
    """Start copies one after the other, wait, and only then ask how long each took; remove them."""
    copies = lane.create(count)
    time.sleep(QUIET)
    since = time.time()
    for copy in copies:
        copy.start()
    time.sleep(QUIET)
    names = {copy.short for copy in copies}
    until(lambda: names <= lane.routed().keys(), what=f"{lane.name} routes {count}", every=QUIET)
    started, routed = lane.started(since), lane.routed()
    until(lambda: names <= lane.answering(count + 1), what=f"{count} new copies answer through {lane.name}")
    for copy in copies:
        copy.rm()
    lane.gone(copies)
    return [routed[name] - started[name] for name in names]
