"""Takes the parts of composed services out of the sources' snapshots, and puts the services in their place.

    snapshots ──parts out──▶ snapshots without parts ─┐
                  └─────▶ compose ──▶ services ───────┴─▶ merge

Only a source that has parts is looked at, and only what changed in it: with none, the snapshots pass as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

from longshore.core.differing import differing, exchanged
from longshore.core.model import Endpoint, Problem, Service, Snapshot
from longshore.core.origins import Composition, Counts, Memory, compose, every, is_part, service_of
from longshore.core.twins import Place, Twins, place_of

SOURCE = "config"  # composed services stand where those do whose endpoints stand in the configuration


@dataclass(slots=True)
class _Split:
    """One source's snapshot, with its parts apart."""

    given: Snapshot
    rest: Snapshot
    parts: dict[str, Service] = field(default_factory=dict)
    keep: list[bool] = field(default_factory=list)  # which services are no parts


class Composer:
    """Composes services again and again; each time it costs about what changed since the last one."""

    def __init__(
        self,
        compositions: Iterable[Composition] = (),
        last: Mapping[str, tuple[Endpoint, ...]] | None = None,
        twins: Any = None,
        counts: Counts = every,
    ) -> None:
        """`last` is what was found last before a restart, `twins` what endpoints went by then.

        `counts` may answer otherwise later: `recount` says of which services.
        """
        self.counts = counts
        self.twins = Twins(twins)
        self._memories = {name: Memory(endpoints) for name, endpoints in (last or {}).items()}
        self._splits: dict[str, _Split] = {}
        self._made: dict[str, Service] = {}
        self._keeping: set[str] = set()  # those that none is found of any more
        self._out = Snapshot(SOURCE)
        self._touched: set[str] = set()
        self._how: dict[str, Composition] = {}
        self.set(compositions)

    def set(self, compositions: Iterable[Composition]) -> None:
        """Compose these from now on, and no others."""
        before, self._how = self._how, {how.name: how for how in compositions}
        self._sources = {source for how in self._how.values() for source in how.sources}
        self._splits = {name: split for name, split in self._splits.items() if name in self._sources}
        self._touched = {name for name, how in self._how.items() if before.get(name) != how}
        self._keeping &= self._how.keys()
        for name in self._memories.keys() - self._how.keys():
            del self._memories[name]
            self.twins.forget(name)
        self._made = {name: self._made[name] for name in self._how if name in self._made}
        self._out = replace(self._out, services=tuple(self._made.values()))

    def recount(self, names: Iterable[str]) -> None:
        """Know that other items of these services count now."""
        self._touched |= self._how.keys() & set(names)

    @property
    def last(self) -> dict[str, tuple[Endpoint, ...]]:
        """What was found last, of services that keep it."""
        return {name: memory.last for name, memory in self._memories.items() if memory.last}

    def compose(self, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
        """The snapshots with composed services in place of their parts; the composed ones come first."""
        if not self._how:
            return list(snapshots)
        rest = [self._rest(snapshot) if snapshot.source in self._sources else snapshot for snapshot in snapshots]
        touched, self._touched = self._touched, set()
        made = {name: self._service(self._how[name]) for name in sorted(touched)}
        if any(self._made.get(name) is not service for name, service in made.items()):
            self._made.update(made)
            self._out = replace(self._out, services=tuple(self._made.values()))
        return [self._out, *rest]

    def left(self, snapshot: Snapshot) -> Snapshot:
        """What a source knew that finds something else from now on: its parts are pieces of their services."""
        if not any(is_part(service.name) for service in snapshot.services):
            return snapshot
        services = [service for service in snapshot.services if not is_part(service.name)]
        pieces: dict[str, Service] = {}
        for part in snapshot.services:
            if is_part(part.name):
                name = service_of(part.name)
                memory = self._memories.get(name)
                pieces[name] = _piece(name, part, memory.made if memory else None, pieces.get(name))
        return replace(snapshot, services=(*services, *pieces.values()), problems=_told(snapshot.problems))

    def known(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot of an earlier life; what it found for others than the present compositions is left."""
        parts = {part for how in self._how.values() for part in how.parts}
        strange = any(is_part(service.name) and service.name not in parts for service in snapshot.services)
        return self.left(snapshot) if strange else snapshot

    def _service(self, how: Composition) -> Service:
        memory = self._memories.setdefault(how.name, Memory())
        parts: dict[str, Service] = {}
        for split in (self._splits[source] for source in how.sources if source in self._splits):
            parts |= {name: split.parts[name] for name in how.parts if name in split.parts}
        taken = self._taken(how) if memory.last else frozenset()
        service = compose(how, parts, memory, twins=self.twins, counts=self.counts, taken=taken)
        (self._keeping.add if memory.keeping else self._keeping.discard)(how.name)
        return service

    def _taken(self, how: Composition) -> frozenset[Place]:
        """Where somebody is now, in the sources whose addresses come round again."""
        sources = {item.source for item in how.items if item.recycles}
        given = [self._splits[source].given for source in sources if source in self._splits]
        return frozenset(place_of(e) for snapshot in given for service in snapshot.services for e in service.endpoints)

    def _rest(self, snapshot: Snapshot) -> Snapshot:
        """Take the parts out of a snapshot, and note whose they are."""
        split = self._splits.get(snapshot.source)
        if split is None:
            empty = Snapshot(snapshot.source)
            split = self._splits[snapshot.source] = _Split(empty, empty)
        given, split.given = split.given, snapshot
        if given is snapshot:
            return split.rest
        services, parts = split.rest.services, split.parts
        if given.services is not snapshot.services:
            changed = exchanged(given.services, snapshot.services)
            if changed is None:
                split.keep = [not is_part(service.name) for service in snapshot.services]
            if changed is None or not all(is_part(service.name) for service in changed):
                services = tuple(compress(snapshot.services, split.keep))
            if changed is None:
                parts = {service.name: service for service in snapshot.services if is_part(service.name)}
                moved = differing(split.parts, parts)
            else:
                parts.update((service.name, service) for service in changed if is_part(service.name))
                moved = {service.name for service in changed if is_part(service.name)}
            self._touched |= self._how.keys() & {service_of(name) for name in moved}
            self._touched |= {name for name in self._keeping if self._recycles(name, snapshot.source)}
        same = given.problems is snapshot.problems
        problems = split.rest.problems if same else _told(snapshot.problems)
        split.parts = parts
        split.rest = Snapshot(snapshot.source, services, problems, snapshot.stale)
        return split.rest

    def _recycles(self, name: str, source: str) -> bool:
        """Whether a service keeps addresses which this source may have given to others."""
        return any(item.recycles and item.source == source for item in self._how[name].items)


def _piece(name: str, part: Service, made: Service | None, piece: Service | None) -> Service:
    """A part as a piece of its service, as it was served; added to another piece of the same one."""
    before = piece.endpoints if piece else ()
    there = {endpoint.id for endpoint in before}
    if made is None:
        routes = tuple(route for route in part.routes if not is_part(route.host.removesuffix(".localhost")))
        endpoints, like = part.endpoints, replace(part, name=name, routes=routes)
    else:
        ids = {endpoint.id for endpoint in part.endpoints}
        endpoints, like = tuple(e for e in made.endpoints if e.id in ids), replace(made, sources=())
    return replace(like, endpoints=(*before, *(e for e in endpoints if e.id not in there)))


def _told(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The problems of parts as those of their services."""
    return tuple(replace(p, service=service_of(p.service)) if is_part(p.service) else p for p in problems)
