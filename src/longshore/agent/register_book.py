"""Which of this host's endpoints are to stand in the registries now, and why the others are not. No I/O.

Fit to stand there is what runs, whose last checks say so, and what has not come and gone too often lately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from longshore.agent.register_watching import Belief
from longshore.core.entries import Entry
from longshore.core.flapping import CALM, MOST, WINDOW, Flapping
from longshore.core.model import EndpointState, Problem
from longshore.core.rate_limit import Bucket
from longshore.core.registration import Registration

FAILS = "its check fails"


@dataclass(frozen=True, slots=True)
class Standing:
    """One endpoint of this host."""

    registration: Registration
    fit: bool
    why: str  # why it is not to stand there; "" if it is
    check: str  # what was checked and what came out
    since: float  # Unix seconds since when it is as it is, as far as known
    out: bool = False  # kept out because it came and went too often
    held: bool = False  # stays in, or out, as it was: its rate limit is used up

    @property
    def stands(self) -> bool:
        """Whether it is to stand in the registries."""
        return (self.fit and not self.out) != self.held

    @property
    def told(self) -> str:
        """The whole reason why it does not stand there, for the journal."""
        return f"{self.why}, {self.check}" if self.why == FAILS else self.why


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to stand in the registries: entries by key, and of some of them where, if not everywhere."""

    entries: Mapping[str, Entry]
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, registry: str) -> dict[str, Entry]:
        """What is to stand in one registry."""
        return {key: entry for key, entry in self.entries.items() if registry in self.only.get(key, (registry,))}


class Book:
    """All endpoints of this host as they were last looked at. Times are seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}  # by key
        self.shadowed: list[str] = []  # keys whose limit only tells, and would have held back: for whoever empties it
        self._flapping: dict[str, Flapping] = {}
        self._buckets: dict[str, Bucket] = {}

    def look(
        self, registrations: Mapping[str, Registration], belief_of: Callable[[str], Belief | None], now: float
    ) -> tuple[list[str], list[str]]:
        """Take in how everything is now; give the keys of those that came, and of those that went."""
        after = {key: self._standing(key, each, belief_of(key), now) for key, each in registrations.items()}
        for key, standing in self.standings.items():
            limit = standing.registration.limit
            if standing.fit and not (key in after and after[key].fit) and (limit is None or limit.shadow):
                flapping = self._flapping[key] = self._flapping.get(key, Flapping()).after(now)
                if key in after and flapping.out(now):
                    after[key] = self._standing(key, registrations[key], belief_of(key), now)
        before = self.wanted
        after = {key: self._limited(key, each, key in before, now) for key, each in after.items()}
        came = [key for key, each in after.items() if each.stands and key not in before]
        self.standings, left = after, before
        wanted = self.wanted
        self._buckets = {key: each for key, each in self._buckets.items() if key in after}
        self._flapping = {key: each for key, each in self._flapping.items() if not each.idle(now)}
        return came, [key for key in left if key not in wanted]

    @property
    def wanted(self) -> dict[str, Entry]:
        """What is to stand in the registries."""
        return {key: each.registration.entry for key, each in self.standings.items() if each.stands}

    @property
    def wish(self) -> Wish:
        """The same, with where."""
        said = {key: each.registration.registries for key, each in self.standings.items() if each.stands}
        return Wish(self.wanted, {key: names for key, names in said.items() if names is not None})

    def next_look(self, now: float) -> float | None:
        """Seconds until something is let back in without anything happening; None if nothing is."""
        due = [each.out_until - now for each in self._flapping.values() if each.out(now)]
        for key, each in self.standings.items():
            if each.held and (limit := each.registration.limit) and limit.average:
                due.append(self._buckets[key].wait(limit, now))
        return min(due, default=None)

    def problems(self) -> list[Problem]:
        """Those that are kept out."""
        return [
            Problem(
                f"endpoint {key}",
                f"came and went more than {MOST} times within {WINDOW:g} s, and is kept out of the registries until it "
                f"has been calm for {CALM:g} s",
                "see why its check fails now and then, or why it restarts; raise register.fall to bear with it",
                each.registration.entry.service,
            )
            for key, each in self.standings.items()
            if each.out
        ]

    def _limited(self, key: str, standing: Standing, stood: bool, now: float) -> Standing:
        """Take a change from its rate limit, if it has one; without anything left it stays as it was."""
        limit = standing.registration.limit
        if limit is None or standing.stands == stood or standing.registration.state is not EndpointState.READY:
            return standing
        bucket = self._buckets.get(key) or Bucket(limit.full, now)
        if (taken := bucket.taken(limit, now)) is not None:
            self._buckets[key] = taken
            return standing
        self._buckets[key] = bucket
        if limit.shadow:
            self.shadowed.append(key)
            return standing
        return replace(standing, held=True, why=standing.why or "its rate limit is used up")

    def _standing(self, key: str, registration: Registration, belief: Belief | None, now: float) -> Standing:
        asked = registration.asked
        out = key in self._flapping and self._flapping[key].out(now)
        if registration.state is not EndpointState.READY:
            return Standing(registration, fit=False, why=registration.reason, check=asked, since=registration.since)
        if belief is None or belief.fit is None:
            return Standing(registration, False, "its first check is under way", asked, registration.since)
        if not belief.fit:
            return Standing(registration, False, FAILS, belief.said, belief.since)
        why = "it came and went too often" if out else ""
        return Standing(registration, True, why, belief.said, belief.since, out)
