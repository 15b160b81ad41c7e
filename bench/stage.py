"""What *churn* needs: an engine that lives through restarts of itself, a balancer, copies of a service, and load."""

from __future__ import annotations

import time
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
MOMENT = 0.1  # seconds after a copy has ended in which its last requests are answered by HAProxy
CUT = ("http_502", "noanswer")  # sent to a server, never answered by it
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
    cut: tuple[Failure, ...]  # POSTs that died with the copy that had them
    lost: tuple[Failure, ...]  # all others that were not answered well
    repeated: tuple[str, ...]  # ids of POSTs that the copies got more than once
    reloads: int

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(report.sent for report in self.reports.values())

    @property
    def counted(self) -> bool:
        """Whether each failure is known by name."""
        return len(self.lost) + len(self.cut) == sum(report.lost for report in self.reports.values())


class Stage:
    """One balancer and its copies. `start` and `stop` are what the cases are made of."""

    def __init__(self, series: str, rate: float) -> None:
        self.rate = rate
        self.engine = Engine(live_restore=True)
        self.balancer = Balancer(engine=self.engine, series=series)
        self.copies: list[Container] = []
        self._ends: list[tuple[float, float]] = []  # when copies were being ended: from the call to a moment after
        self._posts: list[str] = []  # ids of all POSTs that copies got
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
        began = time.time()
        with ThreadPoolExecutor(len(copies)) as pool:
            list(pool.map(lambda copy: copy.stop(seconds), copies))
        self._gone(copies, began)

    def kill(self, copy: Container) -> None:
        """Kill a copy without warning."""
        began = time.time()
        copy.kill()
        self._gone([copy], began)

    def _gone(self, copies: Sequence[Container], began: float) -> None:
        self._ends.append((began, time.time() + MOMENT))
        for copy in copies:
            self._posts += copy.posts()
            copy.rm()
            self.copies.remove(copy)

    def loads(self) -> dict[str, Load]:
        """Make a load of each kind; together they have the rate."""
        rate = self.rate / len(KINDS)
        return {
            name: Load(port=self.balancer.port, host=HOST, path=PATH, rate=rate, **kind)  # type: ignore[arg-type]
            for name, kind in KINDS.items()
        }

    def finish(self, loads: dict[str, Load], *, cuts: bool, reloads: int) -> Result:
        """Remove what is left and judge. `cuts`: the copies took requests with them when they ended."""
        for copy in self.copies:
            self._posts += copy.posts()
            copy.rm()
        reports = {name: load.report for name, load in loads.items()}
        failures = [(name, failure) for name, report in reports.items() for failure in report.failures]
        cut = tuple(failure for name, failure in failures if cuts and name.endswith("POST") and self._is_cut(failure))
        result = Result(
            reports,
            cut,
            lost=tuple(failure for _, failure in failures if failure not in cut),
            repeated=tuple(post for load in loads.values() for post in load.twice(self._posts)),
            reloads=reloads,
        )
        self.copies, self._posts, self._ends = [], [], []
        return result

    def _is_cut(self, failure: Failure) -> bool:
        """Whether HAProxy let go of a request while a copy ended; on a kept connection it may close without a 502."""
        return failure.kind in CUT and any(began <= failure.at <= ended for began, ended in self._ends)
