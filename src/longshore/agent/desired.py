"""What should be served: the sources' snapshots made one, what is remembered, and what an operator said.

Unknown is never empty. A source that has not answered since the start counts with what it knew before the restart, as
stale; a service that lost its last endpoint is remembered for a while, so that it answers 503 and not 404.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from longshore.agent.store import State, Store
from longshore.core.composer import Composer
from longshore.core.merge import Merged, Merger
from longshore.core.model import Problem, Service, Snapshot
from longshore.core.origins import Composition
from longshore.core.raw import Raw
from longshore.core.remember import latest, remember, restored
from longshore.core.twins import Twins

TWINS = "twins"  # among the state's extras …
COMPOSED = "composed"  # … and those of composed services
EMPTY = "empty"  # … and services that are served though they have no endpoint


class Desired:
    """Snapshots and overrides in, services out."""

    def __init__(
        self,
        sources: Sequence[str],
        *,
        forget_after: float,
        reserved: Mapping[str, str],
        store: Store,
        state: State,
        raw: Mapping[str, Raw] | None = None,
        compositions: Sequence[Composition] = (),
    ) -> None:
        """`sources` in the order of the configuration; `state` is what was saved before a restart.

        `raw` are the operator's own lines for services, by their names.
        """
        self.snapshots: dict[str, Snapshot | None] = dict.fromkeys(sources)
        self.since: dict[str, float] = {}  # source -> when it became current or stale
        self.overrides = state.overrides
        self.forget_after = forget_after
        self.store = store
        self.remembered = restored(state.kept)
        self.emptied = _names(state.extra.get(EMPTY))  # services that were served without endpoints before
        self.extras: Callable[[], Mapping[str, Any]] = dict  # what else is to be saved, by name
        self.composer = Composer(compositions, state.last, state.extra.get(COMPOSED))
        self._saved = {snapshot.source: self.composer.known(snapshot) for snapshot in state.snapshots}
        self._raw = raw or {}
        self._reserved = reserved
        self._merger = Merger(state.owners, reserved, Twins(state.extra.get(TWINS)), self._raw)
        self._merged = Merged()
        self._fresh = False
        self._awaited: set[str] = set()  # sources that a new configuration brought, and that have not answered yet
        self._leaving: dict[str, Snapshot] = {}  # what those it changed or dropped knew: stays until then
        self._stored = state
        self._answered = asyncio.Event()

    def publish(self, snapshot: Snapshot) -> bool:
        """Take a snapshot; False if it says nothing new."""
        name = snapshot.source
        if name not in self.snapshots:
            return False  # a source that the configuration no longer has
        before = self.snapshots[name]
        if before is None and snapshot.stale and name in self._saved:
            before = self._saved[name]
        new = latest(before, snapshot)
        known = self.snapshots[name]
        if name in self._awaited and not snapshot.stale:
            self._awaited.discard(name)
            if not self._awaited and self._leaving:
                self._leaving, self._fresh = {}, False
                if self._merger.raw != self._raw:  # the lines of services that were only leaving
                    self._renew_merger(self._raw)
        elif known is not None and known == new:
            return False
        if known is None or bool(known.stale) != bool(new.stale):
            self.since[name] = time.time()
        self.snapshots[name] = new
        self._fresh = False
        if self.complete:
            self._answered.set()
        return True

    def set_sources(
        self,
        sources: Sequence[str],
        *,
        changed: Collection[str] = (),
        forget_after: float,
        reserved: Mapping[str, str],
        raw: Mapping[str, Raw] | None = None,
        compositions: Sequence[Composition] = (),
    ) -> None:
        """The configuration was read again; `changed` are the sources that stay by name, and are others now.

        What dropped and changed sources knew stays in use until every new and changed one has answered: a service may
        have moved from one to the other.
        """
        for name, known in self.snapshots.items():
            if known is not None and (name in changed or name not in sources):
                self.snapshots[name] = self.composer.left(known)
        self.composer.set(compositions)
        old = self._leaving | {name: known for name, known in self.snapshots.items() if known is not None}
        self._awaited = {n for n in sources if n in changed or n in self._awaited or n not in self.snapshots}
        self._leaving = {
            name: known
            for name, known in old.items()
            if self._awaited and (name in changed or name in self._leaving or name not in sources)
        }
        self.snapshots = {name: self.snapshots.get(name) for name in sources}
        self.forget_after = forget_after
        before, self._raw, self._reserved = self._merger.raw, raw or {}, reserved
        self._renew_merger({**before, **self._raw} if self._leaving else self._raw)
        self._fresh = False

    def recount(self, names: Collection[str]) -> None:
        """Know that other items of these services count now: `composer.counts` says which."""
        self.composer.recount(names)
        self._fresh = False

    def services(self) -> tuple[Service, ...]:
        """Everything to serve, the remembered included."""
        if not self._fresh:
            said = [snapshot for snapshot in self._current() if snapshot is not None]
            self._merged = self._merger.merge([*self.composer.compose(said), *self._leaving.values()])
            self._fresh = True
            self._remember(time.time())
        return self.remembered.services

    def tick(self, now: float) -> bool:
        """Let time pass; True if the services or overrides changed by it."""
        changed = False
        if self.remembered.next is not None and now >= self.remembered.next:
            before = self.remembered.services
            self._remember(now)
            changed = before is not self.remembered.services
        return self._ripen(now) or changed

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the sources and their union have to say."""
        awaited = ", ".join(sorted(self._awaited))
        what = f"is not in the configuration any more; what it knew stays in use until {awaited} answers"
        left = [Problem(f"source {name}", what) for name in self._leaving if name not in self.snapshots]
        return (*self._merged.problems, *left)

    def last(self) -> dict[str, Snapshot]:
        """The newest snapshot of each source, be it from before a restart."""
        return self._saved | {name: snapshot for name, snapshot in self.snapshots.items() if snapshot is not None}

    def save(self) -> None:
        """Have the state written to disk soon, if it is another than last time."""
        self.services()  # what was said since the last round is part of it
        current = tuple(snapshot for snapshot in self._current() if snapshot is not None)
        extra = {
            **self._stored.extra,
            **self.extras(),
            TWINS: self._merger.twins.told(),
            COMPOSED: self.composer.twins.told(),
        }
        owners = self._merged.settled.owners
        state = State(current, self.overrides, self.remembered.kept, owners, self.composer.last, extra)
        if state != self._stored:
            self._stored = state
            self.store.save(state)

    @property
    def complete(self) -> bool:
        """Whether every source has said something since the start, be it that it cannot be reached."""
        return all(snapshot is not None for snapshot in self.snapshots.values())

    async def first_answers(self, timeout: float) -> None:
        """Wait for the first word of every source, at most `timeout` seconds."""
        if not self.complete:
            try:
                await asyncio.wait_for(self._answered.wait(), timeout)
            except TimeoutError:
                return

    def _current(self) -> list[Snapshot | None]:
        """Each source's snapshot; what it knew before the restart while it has not spoken."""
        return [
            snapshot if snapshot is not None or name not in self._saved else self._saved[name]
            for name, snapshot in self.snapshots.items()
        ]

    def _renew_merger(self, raw: Mapping[str, Raw]) -> None:
        self._merger = Merger(self._merged.settled.owners, self._reserved, self._merger.twins, raw)

    def _remember(self, now: float) -> None:
        self.remembered = remember(self.remembered, self._merged, now, self.forget_after)

    def _ripen(self, now: float) -> bool:
        """Turn an operator's drain into maint when the service's `drain` time is over."""
        for override in list(self.overrides.said.values()):
            service = self.remembered.by_name.get(override.service)
            limit = service.policy.drain if service else 0.0
            if override.admin == "drain" and limit and now - override.since >= limit:
                self.overrides = self.overrides.with_admin(override.service, override.endpoint, "maint", now)
                return True
        return False


def _names(said: object) -> frozenset[str]:
    return frozenset(map(str, said)) if isinstance(said, list) else frozenset()
