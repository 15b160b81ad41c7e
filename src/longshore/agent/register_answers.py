"""A registrar of its own as people and programs meet it: it tells how it stands, and has nothing to balance."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from longshore import __version__
from longshore.agent.metrics import Metrics
from longshore.agent.registrar import Registrar
from longshore.agent.report import AdminState, Changed, Drift, Event, Refused, Status, Thawed
from longshore.core.explain import Explanation
from longshore.core.model import Problem


class RegisterAnswers:
    """Implements `report.Agent` for one registrar. `reread` reads the configuration again and says what it did."""

    def __init__(self, registrar: Registrar, meter: Metrics, reread: Callable[[], Awaitable[str]]) -> None:
        self._registrar, self._meter, self._reread = registrar, meter, reread
        self._started = time.time()
        self.reached: Callable[[], tuple[Problem, ...]] = tuple  # of the API's own address
        self.configuration: tuple[Problem, ...] = ()  # of the last reading of the configuration

    def status(self) -> Status:
        """The present state; cheap, no I/O."""
        registrar = self._registrar
        return Status(
            version=__version__,
            started=self._started,
            ready=registrar.ready,
            haproxy=None,
            registrar=registrar.status(),
            problems=self.problems(),
            seq=self._registrar.journal.seq,
        )

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now."""
        return (*self.reached(), *self.configuration, *self._registrar.problems())

    def explain(self, url: str) -> Explanation:
        """Only a balancer can."""
        self._refuse()

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """The journal's entries after a number."""
        return self._registrar.journal.after(after)

    def metrics(self) -> bytes:
        """The metrics in the text format of Prometheus."""
        return self._meter.text()

    async def next_change(self, seq: int) -> int:
        """Wait until something has changed."""
        return await self._registrar.journal.next_change(seq)

    async def set_admin(self, service: str, endpoint: str | None, state: AdminState) -> Changed:
        """Only a balancer can."""
        self._refuse()

    async def set_weight(self, service: str, endpoint: str | None, weight: int | None) -> Changed:
        """Only a balancer can."""
        self._refuse()

    async def thaw(self, source: str) -> Thawed:
        """Only a balancer can."""
        self._refuse()

    async def reload(self, reason: str) -> str:
        """Read the configuration again."""
        return await self._reread()

    async def mend(self) -> tuple[Drift, ...]:
        """Only a balancer can."""
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise Refused("this is a registrar: it balances nothing", "ask the balancer: `longshore up`")
