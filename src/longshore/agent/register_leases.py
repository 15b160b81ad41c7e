"""What became of the entries in each registry: told to the journal, and shown in the status.

Holders do their work by themselves; here they are looked at, often while something is under way and seldom otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.register_book import Standing, Wish
from longshore.agent.report import LeaseShown, RegistryState, RegistryStatus
from longshore.core.model import Problem
from longshore.registries.hold import Holder, LeaseStatus

BUSY, SLOWER, CALM = 0.005, 1.5, 1.0  # seconds between looks: while something is under way, ever more, at most
PENDING = ("registering", "withdrawing")
NAMED = 3  # entries that are named where more have the same trouble
REFUSES = {"refused": "it takes nothing of this host, see the problems"}


@dataclass(slots=True)
class Asked:
    """What was last wanted of one entry: since when (Unix seconds), and why."""

    at: float
    why: str


class Leases:
    """The entries in all registries. `holders` are by the names of the registries, `types` what these are."""

    def __init__(self, journal: Journal, meter: Metrics) -> None:
        self.holders: dict[str, Holder] = {}
        self.types: dict[str, str] = {}
        self._journal, self._meter = journal, meter
        self._known: dict[str, dict[str, LeaseStatus]] = {}  # by registry and key
        self._asked: dict[str, Asked] = {}
        self._away: dict[str, str] = {}  # registry -> why
        self._states: dict[str, RegistryState] = {}
        self._wake = asyncio.Event()

    def want(self, key: str, why: str) -> None:
        """Note that an entry is wanted, or not any more, from this moment on."""
        self._asked[key] = Asked(time.time(), why)

    def poke(self) -> None:
        """Look soon: something is under way."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Look, for ever."""
        while True:
            self._wake.clear()
            pause = BUSY
            while pause < CALM:
                pending = self.look()
                pause = min(pause * SLOWER, CALM) if pending else CALM
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                        break

    def look(self) -> bool:
        """Compare with the last look and write down what changed; tell whether something is under way."""
        changed = pending = False
        for registry, holder in self.holders.items():
            before = self._known.get(registry, {})
            after = {f"{lease.service}/{lease.id}": lease for lease in holder.leases()}
            self._known[registry] = after
            for key in before.keys() | after.keys():
                changed |= self._tell(registry, key, before.get(key), after.get(key))
            pending |= any(lease.state in PENDING and not lease.error for lease in after.values())
            changed |= self._tell_away(registry, after, holder.trouble() or "")
        states, self._states = self._states, {name: self._state(name, each) for name, each in self.holders.items()}
        if changed or self._states != states:
            self._journal.touch()
            there = {key for known in self._known.values() for key in known}
            self._asked = {key: asked for key, asked in self._asked.items() if key in there}
        return pending

    def settled(self, wish: Wish) -> bool:
        """Whether every registry has all that is wanted, or will not take some of it."""
        return all(
            holds(holder, wanted) and not refuses(holder)
            if (wanted := wish.of(name))
            else holder.trouble() == ""  # with nothing to hold, being there is all
            for name, holder in self.holders.items()
        )

    @property
    def away(self) -> bool:
        """Whether a registry cannot be reached."""
        return any(name in self.holders for name in self._away)

    def registries(self) -> tuple[RegistryStatus, ...]:
        """How each registry is."""
        return tuple(
            RegistryStatus(name, self.types.get(name, ""), state, self._away.get(name, REFUSES.get(state, "")))
            for name, holder in self.holders.items()
            for state in [self._state(name, holder)]
        )

    def problems(self) -> list[Problem]:
        """Registries that are away, entries that are refused."""
        found = [
            Problem(f"registry {name}", why, "entries made meanwhile are written when it is back")
            for name, why in self._away.items()
            if name in self.holders
        ]
        for name in self.holders:
            refused: dict[str, list[LeaseStatus]] = {}  # by why: often it is the same for all
            for lease in self._known.get(name, {}).values():
                if lease.state == "refused":
                    refused.setdefault(lease.error, []).append(lease)
            found += [_refusal(name, why, leases) for why, leases in refused.items()]
        return found

    def shown(self, standings: Mapping[str, Standing], owner: str) -> tuple[LeaseShown, ...]:
        """Every entry in every registry, and every endpoint that is in none."""
        rows: list[LeaseShown] = []
        for registry in self.holders:
            for key, lease in self._known.get(registry, {}).items():
                standing = standings.get(key)
                entry = standing.registration.entry if standing else None
                rows.append(
                    LeaseShown(
                        lease.service,
                        lease.id,
                        entry.host if entry else "",
                        entry.port if entry else 0,
                        registry,
                        lease.key,
                        lease.state,
                        lease.since,
                        lease.ttl,
                        owner,
                        standing.check if standing else "",
                        lease.error,
                    )
                )
        there = {f"{row.service}/{row.id}" for row in rows}
        for key, standing in standings.items():
            if key not in there:
                entry = standing.registration.entry
                why = standing.why or "it is written next"
                row = LeaseShown(entry.service, entry.id, entry.host, entry.port, owner=owner, since=standing.since)
                rows.append(_out(row, standing.check, why))
        return tuple(sorted(rows, key=lambda row: (row.service, row.id, row.registry)))

    def _state(self, registry: str, holder: Holder) -> RegistryState:
        if registry in self._away:
            return "away"
        if refuses(holder):
            return "refused"
        return "current" if holder.trouble() is not None or holder.leases() else "connecting"

    def _tell(self, registry: str, key: str, before: LeaseStatus | None, after: LeaseStatus | None) -> bool:
        """Write down what became of one entry; say whether anything did."""
        state, was = after.state if after else None, before.state if before else None
        if state == was:
            return (after and after.error) != (before and before.error)
        asked = self._asked.get(key)
        why = asked.why if asked else ""
        service = (after or before).service  # type: ignore[union-attr]  # one of them is there
        if after is not None and state == "held":
            if was == "lost":
                self._journal.add(f"{key} is held in {registry} again", "", service)
            elif asked is not None:
                self._meter.registered(after.since - asked.at)
                self._journal.add(f"registered {key} in {registry} after {_ms(after.since - asked.at)}", why, service)
        elif after is None and was != "refused":
            took = f" after {_ms(time.time() - asked.at)}" if asked else ""
            self._journal.add(f"withdrew {key} from {registry}{took}", why, service)
        elif after is not None and state == "refused":
            self._journal.add(f"{registry} does not take {key}", after.error, service)
        return True

    def _tell_away(self, registry: str, leases: Mapping[str, LeaseStatus], trouble: str) -> bool:
        errors = [lease.error for lease in leases.values() if lease.error and lease.state != "refused"]
        errors += [trouble] if trouble else []
        was = self._away.get(registry)
        if errors and was is None:
            self._journal.add(f"registry {registry} is away", errors[0])
        elif not errors and was is not None:
            self._journal.add(f"registry {registry} answers again")
        if errors:
            self._away[registry] = errors[0]
        else:
            self._away.pop(registry, None)
        return (errors[0] if errors else None) != was


def holds(holder: Holder, wanted: Mapping[str, object]) -> bool:
    """Whether a registry has all that is wanted, or will not take it."""
    there = {f"{lease.service}/{lease.id}" for lease in holder.leases() if lease.state in ("held", "refused")}
    return there >= wanted.keys()


def refuses(holder: Holder) -> bool:
    """Whether a registry takes nothing at all of this host."""
    leases = holder.leases()
    return bool(leases) and all(lease.state == "refused" for lease in leases)


def _refusal(registry: str, why: str, leases: list[LeaseStatus]) -> Problem:
    names = [f"{lease.service}/{lease.id}" for lease in leases]
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    what = f"{', '.join(names[:NAMED])}{more} {'is' if len(names) == 1 else 'are'} not taken: {why}"
    services = {lease.service for lease in leases}
    service = services.pop() if len(services) == 1 else ""
    return Problem(f"registry {registry}", what, "tried again now and then", service)


def _out(row: LeaseShown, check: str, why: str) -> LeaseShown:
    return LeaseShown(
        row.service, row.id, row.address, row.port, since=row.since, owner=row.owner, check=check, error=why
    )


def _ms(seconds: float) -> str:
    return f"{max(seconds, 0.0) * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
