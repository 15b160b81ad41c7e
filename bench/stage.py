"""What *churn* needs: an engine that lives through restarts of itself, a balancer, copies of a service, and load."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.load import Failure, Load, Report

SERVICE, HOST = "churn", "churn.test"
LABELS = {"longshore.service": SERVICE, "longshore.host": HOST}
PATH = "/slow?20"  # each request takes 20 ms, so that some are always under way
KINDS = {
    "kept GET": {"keep": True, "method": "GET"},
    "kept POST": {"keep": True, "method": "POST"},
    "new GET": {"keep": False, "method": "GET"},
    "new POST": {"keep": False, "method": "POST"},
}


@dataclass(frozen=True)
class Result:
    """What became of the requests of one case, of all kinds together."""

    reports: dict[str, Report]
    repeated: list[str]  # POSTs that reached the copies more than once
    cut: list[str]  # lost POSTs that a copy killed on purpose had received
    reloads: int

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(report.sent for report in self.reports.values())

    @property
    def lost(self) -> list[Failure]:
        """Every request that was not answered well."""
        return [failure for report in self.reports.values() for failure in report.failures]

    @property
    def counted(self) -> bool:
        """Whether each request is accounted for by name."""
        return len(self.lost) == sum(report.lost for report in self.reports.values())


class Stage:
    """One balancer and its copies. `start` and `stop` are what the cases are made of."""

    def __init__(self, series: str, rate: float) -> None:
        self.rate = rate
        self.engine = Engine(live_restore=True)
        self.balancer = Balancer(engine=self.engine, series=series)
        self.copies: list[Container] = []
        self.killed: list[Container] = []
        self._posts: dict[str, list[str]] = {}  # container → the POSTs it got
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the engine and the balancer."""
        with ExitStack() as stack:
            stack.enter_context(self.engine)
            stack.enter_context(self.balancer)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End both without a trace."""
        self._stack.close()

    def start(self, count: int = 1, **env: object) -> list[Container]:
        """Start copies and wait until they get traffic."""
        new = [self.engine.run(labels=LABELS, env={"LOG": 1, **env}) for _ in range(count)]
        self.copies += new
        self.settle()
        return new

    def settle(self) -> None:
        """Wait until the balancer serves exactly the copies."""
        self.balancer.until_up(SERVICE, len(self.copies))

    def stop(self, copies: Sequence[Container], seconds: int = 10) -> None:
        """Stop copies side by side, as Compose does, and note what they have seen."""
        with ThreadPoolExecutor(len(copies)) as pool:
            list(pool.map(lambda copy: copy.stop(seconds), copies))
        self.gone(copies)

    def kill(self, copy: Container) -> None:
        """Kill a copy without warning."""
        copy.kill()
        self.killed.append(copy)
        self.gone([copy])

    def gone(self, copies: Sequence[Container]) -> None:
        """Note what copies that have ended received, and remove them."""
        for copy in copies:
            self._posts[copy.id] = copy.posts()
            copy.rm()
            self.copies.remove(copy)

    def loads(self) -> dict[str, Load]:
        """Make a load of each kind; together they have the rate."""
        rate = self.rate / len(KINDS)
        return {
            name: Load(port=self.balancer.port, host=HOST, path=PATH, rate=rate, **kind)  # type: ignore[arg-type]
            for name, kind in KINDS.items()
        }

    def finish(self, loads: dict[str, Load], reloads: int) -> Result:
        """Remove what is left and judge."""
        for copy in self.copies:
            self._posts[copy.id] = copy.posts()
        while self.copies:
            self.copies.pop().rm()
        seen = [post for posts in self._posts.values() for post in posts]
        cut = {post for copy in self.killed for post in self._posts[copy.id]}
        reports = {name: load.report for name, load in loads.items()}
        lost = [failure.id for report in reports.values() for failure in report.failures]
        self.killed, self._posts = [], {}
        return Result(
            reports,
            repeated=[post for load in loads.values() for post in load.twice(seen)],
            cut=[each for each in lost if each in cut],
            reloads=reloads,
        )
