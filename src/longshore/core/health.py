"""Whether an endpoint is fit to be registered, by the results of its checks: rise and fall, as Nerve counts them.

The first result decides at once, whatever `rise` says: after a restart of the registrar nothing that serves is missed.
From then on it takes `rise` successes in a row to become fit, and `fall` failures in a row not to be any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST, GROWTH, CAP = 0.005, 1.5, 0.25
"""Until an endpoint has been fit once, it is asked after this many seconds, then after ever more, at most the last."""
EAGER = 150
"""So often; one that has not answered by then (half a minute) is in no hurry."""
ALERT = 1.0
"""Seconds at most to the next check while results contradict what is believed."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is believed of one endpoint. `fit` None: nothing is known yet."""

    rise: int = 1
    fall: int = 2
    fit: bool | None = None
    against: int = 0  # results in a row that contradict `fit`
    failures: int = 0  # before it was fit for the first time; -1 from then on

    def after(self, *, ok: bool) -> Health:
        """Take in one result."""
        failures = -1 if self.failures < 0 or (ok and self.fit is None) else self.failures + (not ok)
        if self.fit is None:
            return replace(self, fit=ok, failures=failures)
        if ok == self.fit:
            return replace(self, against=0, failures=failures)
        if self.against + 1 < (self.rise if ok else self.fall):
            return replace(self, against=self.against + 1, failures=failures)
        return replace(self, fit=ok, against=0, failures=-1 if ok else failures)

    def pause(self, interval: float, *, dear: bool = False) -> float:
        """Seconds to the next check. `dear`: each check costs too much to be made in a hurry."""
        if 0 < self.failures <= EAGER and not dear:
            return min(FIRST * GROWTH ** min(self.failures - 1, 20), CAP, interval)
        return min(interval, ALERT) if self.against or 0 < self.failures <= EAGER else interval
