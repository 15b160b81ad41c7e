"""A limit on how often one endpoint may come and go: each time costs the registry and every balancer a change.

Withdrawals are counted. The one too many within the window keeps the endpoint out until it has been calm for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST = 5
"""Withdrawals within WINDOW seconds that are put up with."""
WINDOW = 60.0
CALM = 30.0
"""Seconds without a further one until it may come back."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """The latest withdrawals of one endpoint. Times are seconds of any clock that only goes on."""

    withdrawn: tuple[float, ...] = ()
    out_until: float = 0.0

    def after(self, now: float) -> Flapping:
        """Take in that it was, or would have been, withdrawn."""
        latest = (*(time for time in self.withdrawn if now - time < WINDOW), now)[-MOST - 1 :]
        return replace(self, withdrawn=latest, out_until=now + CALM if len(latest) > MOST else self.out_until)

    def out(self, now: float) -> bool:
        """Whether it is kept out now."""
        return now < self.out_until

    def idle(self, now: float) -> bool:
        """Whether there is nothing to remember any more."""
        return not self.out(now) and all(now - time >= WINDOW for time in self.withdrawn)
