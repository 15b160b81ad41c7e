"""Telling of refused requests in the log, without being flooded: beyond some in a short time they are only counted."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from longshore.core.engine_filter import Refusal

MOST = 20  # lines …
SPAN = 10.0  # … in so many seconds

log = structlog.get_logger()


class Refusals:
    """Logs each refusal with who asked; `count` is how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._since = clock()
        self._told = 0
        self._untold = 0

    def tell(self, refusal: Refusal, who: str) -> None:
        """Log one, or count it."""
        self.count += 1
        if self._clock() - self._since > SPAN:
            self.end()
        if self._told < MOST:
            self._told += 1
            log.warning("refused", request=refusal.asked, why=refusal.why, status=refusal.status, by=who)
        else:
            self._untold += 1

    def end(self) -> None:
        """Say how many were only counted, and begin a new span."""
        if self._untold:
            log.warning("refused more than can be told one by one", count=self._untold)
        self._since, self._told, self._untold = self._clock(), 0, 0
