"""Which of this host's endpoints are to stand in the registries now, and why the others are not. No I/O.

Fit to stand there is what runs, whose last checks say so, and what has not come and gone too often lately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from longshore.agent.register_watching import Belief
from longshore.core.entries import Entry
from longshore.core.flapping import CALM, MOST, WINDOW, Flapping
from longshore.core.model import EndpointState, Problem
from longshore.core.registration import Registration

FAILS = "its check fails"


@dataclass(frozen=True, slots=True)
class Standing:
    """One endpoint of this host. `fit` without `out`: it is to stand in the registries."""

    registration: Registration
    fit: bool
    why: str  # why it is not to stand there; "" if it is
    check: str  # what was checked and what came out
    since: float  # Unix seconds since when it is as it is, as far as known
    out: bool = False  # kept out because it came and went too often

    @property
    def told(self) -> str:
        """The whole reason why it does not stand there, for the journal."""
        return f"{self.why}, {self.check}" if self.why == FAILS else self.why


class Book:
    """All endpoints of this host as they were last looked at. Times are seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}  # by key
        self._flapping: dict[str, Flapping] = {}

    def look(
        self, registrations: Mapping[str, Registration], belief_of: Callable[[str], Belief | None], now: float
    ) -> tuple[list[str], list[str]]:
        """Take in how everything is now; give the keys of those that came, and of those that went."""
        after = {key: self._standing(key, each, belief_of(key), now) for key, each in registrations.items()}
        for key, standing in self.standings.items():
            if standing.fit and not (key in after and after[key].fit):
                flapping = self._flapping[key] = self._flapping.get(key, Flapping()).after(now)
                if key in after and flapping.out(now):
                    after[key] = self._standing(key, registrations[key], belief_of(key), now)
        before = self.wanted
        came = [key for key, each in after.items() if each.fit and not each.out and key not in before]
        self.standings, left = after, before
        wanted = self.wanted
        self._flapping = {key: each for key, each in self._flapping.items() if not each.idle(now)}
        return came, [key for key in left if key not in wanted]

    @property
    def wanted(self) -> dict[str, Entry]:
        """What is to stand in the registries."""
        return {key: each.registration.entry for key, each in self.standings.items() if each.fit and not each.out}

    def next_look(self, now: float) -> float | None:
        """Seconds until something is let back in without anything happening; None if nothing is."""
        due = [each.out_until for each in self._flapping.values() if each.out(now)]
        return min(due) - now if due else None

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

    def _standing(self, key: str, registration: Registration, belief: Belief | None, now: float) -> Standing:
        asked = str(registration.check)
        out = key in self._flapping and self._flapping[key].out(now)
        if registration.state is not EndpointState.READY:
            return Standing(registration, fit=False, why=registration.reason, check=asked, since=registration.since)
        if belief is None or belief.health.fit is None:
            return Standing(registration, False, "its first check is under way", asked, registration.since)
        said = f"{asked}: {belief.why or ('ok' if belief.health.fit else 'failed')}"
        if not belief.health.fit:
            return Standing(registration, False, FAILS, said, belief.since)
        why = "it came and went too often" if out else ""
        return Standing(registration, True, why, said, belief.since, out)
