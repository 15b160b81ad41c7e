"""When to look at a Swarm's tasks again. No I/O, no clock.

A look costs the manager what it costs to list its tasks: a few milliseconds in a small Swarm, tenths of a second in a
large one. So the pace follows from how long the last look took: at most a twentieth of the manager's time while
anything is under way (but four looks a second suffice), and a two-hundredth when nothing is.
"""

from __future__ import annotations

BUSY, IDLE = 0.05, 0.005
"""The share of time that may be spent with looking."""
SHORTEST, LONGEST = 0.25, 1.0
"""Seconds between looks while something changes."""
SHORTEST_IDLE, LONGEST_IDLE = 2.0, 15.0
"""Seconds between looks while nothing does."""
AFTERMATH = 5.0
"""Seconds for which news make us look closely."""
UNSETTLED = 30.0
"""Seconds for which we look closely at services that do not get as many tasks as they want: it may never happen."""


class Pace:
    """Remembers when something changed last."""

    def __init__(self) -> None:
        self._news = -UNSETTLED

    def after(self, now: float, took: float, *, news: bool, updating: bool, settled: bool) -> float:
        """Give the seconds until the next look, after one that took `took` seconds."""
        if news:
            self._news = now
        quiet = now - self._news
        if updating or quiet < (AFTERMATH if settled else UNSETTLED):
            return min(max(took / BUSY, SHORTEST), LONGEST)
        return min(max(took / IDLE, SHORTEST_IDLE), LONGEST_IDLE)
