"""The story: everything that happens to a service in its life, under constant load."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from demo.stage import IMAGE, MARK
from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine_client import EngineClient
from tests.lab.load import Load
from tests.lab.waiting import until

RATE = 150  # requests a second, on kept connections; a third as many each on a connection of its own
SERVICE = "demo"


class Story:
    """The copies that run, and how fast longshore was with them."""

    def __init__(self, engine: EngineClient, balancer: Balancer) -> None:
        self.engine = engine
        self.balancer = balancer
        self.begun = time.time()
        self.copies: list[Container] = []
        self.count = 0
        self.routed: list[float] = []  # seconds from the engine's start event to the first possible request

    def act(self, title: str, deed: Callable[[], str]) -> None:
        """Do one thing, and say it with what came of it."""
        print(f"{time.time() - self.begun:5.1f} s    {title:48}", end="", flush=True)
        print(deed(), flush=True)

    def start(self, **env: object) -> Container:
        """Start one more copy and wait until it gets traffic."""
        self.count += 1
        before = time.time()
        labels = {MARK: "", "longshore.service": SERVICE, "longshore.host": "*"}
        copy = self.engine.run(f"longshore-demo-{self.count}", image=IMAGE, labels=labels, env=env)
        self.copies.append(copy)
        since = until(lambda: self.routed_since(copy), what=f"{copy.name} gets traffic")
        self.routed.append(since - self.started_at(copy, before))
        return copy

    def routed_since(self, copy: Container) -> float:
        """Return when longshore first could send a request there; 0.0: not yet."""
        endpoints = self.balancer.service(SERVICE).get("endpoints", [])
        return max((float(each["routed_since"]) for each in endpoints if each["id"].startswith(copy.short)), default=0)

    def started_at(self, copy: Container, since: float) -> float:
        """Return the time of the engine's start event."""
        until_now = f"since={since - 1:.6f}&until={time.time():.6f}"
        lines = self.engine.api.call("GET", f"/events?{until_now}").decode().splitlines()
        events: list[Any] = [json.loads(line) for line in lines]
        (at,) = [event["timeNano"] for event in events if event.get("Action") == "start" and event["id"] == copy.id]
        return float(at) / 1e9

    def three(self) -> str:
        """Start three copies."""
        return self.took([self.start() for _ in range(3)])

    def six(self) -> str:
        """Start three more."""
        return self.took([self.start() for _ in range(3)])

    def took(self, copies: list[Container]) -> str:
        """Say how long the last starts took to be routed."""
        times = ", ".join(f"{seconds * 1000:.0f}" for seconds in self.routed[-len(copies) :])
        return f"routed {times} ms after the engine's event"

    def roll(self) -> str:
        """Replace every copy: first a new one, then the old one is stopped."""
        old = list(self.copies)
        for copy in old:
            self.start()
            copy.stop()
            self.forget(copy)
        return self.took(old)

    def sigkill(self) -> str:
        """Kill a copy without warning."""
        copy = self.copies[0]
        copy.kill()
        self.forget(copy)
        return f"{copy.name} is gone, {len(self.copies)} serve"

    def stubborn(self) -> str:
        """Stop a copy that ignores its stop signal."""
        copy = self.start(IGNORE=1)
        began = time.time()
        copy.stop(2)
        self.forget(copy)
        return f"{copy.name} was killed by the engine after {time.time() - began:.1f} s"

    def crash(self) -> str:
        """Kill longshore; change something meanwhile; start it again."""
        worker = self.balancer.worker
        self.balancer.kill9()
        time.sleep(1)  # HAProxy serves alone
        self.balancer.start()
        until(lambda: all(self.routed_since(copy) for copy in self.copies), what="every copy is known again")
        kept = self.balancer.worker == worker
        return "HAProxy served on and was adopted" if kept else "HAProxy was started anew"

    def forget(self, copy: Container) -> None:
        """Remove a copy that has ended."""
        copy.rm()
        self.copies.remove(copy)


def play(engine: EngineClient, balancer: Balancer) -> int:
    """Play it, print the result, and return the number of lost requests."""
    story = Story(engine, balancer)
    version = balancer.status()["haproxy"]["version"]
    print(f"HAProxy    {version}, managed by longshore")
    print(f"address    http://localhost:{balancer.port}/\n", flush=True)
    story.act("three copies are started", story.three)
    reloads = balancer.reloads
    with (
        Load(port=balancer.port, rate=RATE, keep=True) as kept,
        Load(port=balancer.port, rate=RATE / 3, keep=False) as fresh,
    ):
        story.act("load begins, and lasts until the end", lambda: f"{RATE * 4 // 3} requests a second")
        kept.more(RATE)
        story.act("three more: scaled to six", story.six)
        story.act("all six replaced, one by one", story.roll)
        story.act("one killed with SIGKILL", story.sigkill)
        story.act("one that ignores SIGTERM is stopped", story.stubborn)
        reloads = balancer.reloads - reloads
        story.act("longshore killed, and started again", story.crash)
        kept.more(2 * RATE)
    reloads += balancer.reloads
    reports = [kept.report, fresh.report]
    sent, lost = sum(each.sent for each in reports), sum(each.lost for each in reports)
    middle, longest = statistics.median(story.routed), max(story.routed)
    print(f"\nrequests   {sent} sent, {sent - lost} answered, {lost} lost")
    for report in reports:
        if report.lost:
            print(f"           {report}")
    print(f"reloads    {reloads}")
    print(f"event → routed, {len(story.routed)} starts: p50 {middle * 1000:.0f} ms, longest {longest * 1000:.0f} ms")
    return lost
