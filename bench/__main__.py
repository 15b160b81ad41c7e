"""Reads the command line of `script/bench`."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from bench import agents, churn, dataplane, outages, propagation, registration, scale, swarm
from bench.table import machine
from tests.lab import network
from tests.lab.binaries import SERIES


def main() -> int:
    """Return 0 when every bar was met, else 1."""
    parser = argparse.ArgumentParser(prog="script/bench")
    chosen = parser.add_subparsers(dest="benchmark", required=True)
    timing = chosen.add_parser("propagation", help="from the engine's event to routed, beside a bare script")
    timing.add_argument("--starts", type=int, default=40, help="isolated starts of each contender (40)")
    timing.add_argument("--bursts", type=int, default=3, help="times that 20 copies are started back to back (3)")
    losing = chosen.add_parser("churn", help="requests lost while everything changes")
    losing.add_argument("--rate", type=float, default=200, help="requests a second, of all kinds together (200)")
    losing.add_argument("--only", nargs="+", default=[], metavar="WORD", help="only cases whose name has one of these")
    serving = chosen.add_parser("dataplane", help="what a request costs, beside a hand-written haproxy.cfg")
    serving.add_argument("--turns", type=int, default=4, help="turns of each contender with each kind of request (4)")
    serving.add_argument("--seconds", type=int, default=3, help="length of a turn (3)")
    meeting = chosen.add_parser(
        "registration", help="from a start on one host to traffic on another, beside bare scripts"
    )
    meeting.add_argument("--starts", type=int, default=30, help="starts of each contender (30)")
    meeting.add_argument("--registry", nargs="+", choices=registration.KINDS, default=registration.KINDS)
    failing = chosen.add_parser("outages", help="a host's power cut; a registry without its leader, without its quorum")
    failing.add_argument("--registry", nargs="+", choices=outages.KINDS, default=outages.KINDS)
    telling = chosen.add_parser("agents", help="from a start on one machine to traffic on another, told by an agent")
    telling.add_argument("--starts", type=int, default=30, help="starts of each contender (30)")
    rolling = chosen.add_parser("swarm", help="requests lost while services of a Swarm change; its manager's load")
    rolling.add_argument("--rate", type=float, default=500, help="requests a second (500)")
    growing = chosen.add_parser("scale", help="what 10,000 endpoints cost, beside 100")
    growing.add_argument("--changes", type=int, default=400, help="changes of each size, ten a second (400)")
    for each in (timing, losing, serving, meeting, failing, telling, rolling, growing):
        each.add_argument("--haproxy", nargs="+", choices=SERIES, default=[SERIES[0], SERIES[-1]], metavar="SERIES")
    wish = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # leave through every `with`
    began = time.monotonic()
    network.isolate()
    if wish.benchmark == "propagation":
        met = propagation.run(wish.haproxy, wish.starts, wish.bursts)
    elif wish.benchmark == "dataplane":
        met = dataplane.run(wish.haproxy, wish.turns, wish.seconds)
    elif wish.benchmark == "registration":
        met = registration.run(wish.haproxy, wish.registry, wish.starts)
    elif wish.benchmark == "outages":
        met = outages.run(wish.haproxy, wish.registry)
    elif wish.benchmark == "agents":
        met = agents.run(wish.haproxy, wish.starts)
    elif wish.benchmark == "swarm":
        met = swarm.run(wish.haproxy[-1], wish.rate)
    elif wish.benchmark == "scale":
        met = scale.run(wish.haproxy, wish.changes)
    else:
        met = churn.run(wish.haproxy, wish.rate, wish.only)
    print(f"\n{machine()}; {time.monotonic() - began:.0f} s")
    if not met:
        print("bench: a bar was missed", file=sys.stderr)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
