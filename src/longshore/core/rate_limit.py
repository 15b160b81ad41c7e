"""How often something may change: a bucket that holds permissions, and gets new ones at a steady rate.

Nerve's `rate_limiting` (nerve/rate_limiter.rb), but that the bucket is full at the start: an endpoint whose rate is one
change in ten seconds would else be registered ten seconds late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`average` changes each second, up to `burst` together. `shadow`: only tell what would have been held back."""

    average: float
    burst: float = math.inf
    shadow: bool = False

    @property
    def full(self) -> float:
        """What there is at the start."""
        return self.burst if math.isfinite(self.burst) else max(1.0, self.average)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was left at a moment, in seconds of any clock that only goes on."""

    left: float
    at: float

    def now(self, limit: RateLimit, now: float) -> float:
        """Permissions that there are by now."""
        return min(self.left + limit.average * max(0.0, now - self.at), limit.burst)

    def taken(self, limit: RateLimit, now: float) -> Bucket | None:
        """The bucket after one permission was taken; None if there is none."""
        there = self.now(limit, now)
        return Bucket(there - 1, now) if there >= 1 else None

    def wait(self, limit: RateLimit, now: float) -> float:
        """Seconds until there is a permission; infinite if there never is."""
        missing = 1 - self.now(limit, now)
        if missing <= 0:
            return 0.0
        return missing / limit.average if limit.average else math.inf
