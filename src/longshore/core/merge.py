"""What all sources know, made one: snapshots in, one list of services out, with every conflict said.

    snapshots ──group by name──▶ united services ──settle who owns which route──▶ Merged

Two rules. *The same name in several sources is one service*: its endpoints are united (an id counts once, and so does
an address: `core.twins`), routes and policy come from the first source that gives routes. *A route belongs to one
service*: who has it keeps it; among newcomers the order of sources, then of services decides. The other service loses
that route and nothing else: it goes on existing, its other routes work, and a problem says who holds the route. An
address of its own (`listen`, `tcp`) is either HTTP or TCP, by the same rule.

`Merger` remembers its last answer: what did not change comes back as the identical object, and who owns what is
settled anew only when some service's routes changed. `longshore.core.conflicts` does the settling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from longshore.core.conflicts import Settled, modes_of, settle
from longshore.core.differing import exchanged
from longshore.core.model import Policy, Problem, Service, Snapshot
from longshore.core.raw import Raw
from longshore.core.twins import Twins


@dataclass(frozen=True, slots=True)
class Merged:
    """One desired state out of all sources."""

    services: tuple[Service, ...] = ()
    problems: tuple[Problem, ...] = ()
    by_name: Mapping[str, Service] = field(default_factory=dict)
    settled: Settled = field(default_factory=Settled)
    stale: Mapping[str, str] = field(default_factory=dict)  # source -> why its snapshot is not renewed


class Merger:
    """Merges again and again; each answer costs about what changed since the last one.

    `owners` (route claim -> service name) are those of an earlier life, as `Merged.settled.owners` gave them; `twins`
    is what endpoints went by then. `reserved` (address -> who listens there) are addresses that no service may take,
    such as the configuration's frontends. `raw` are the operator's own lines for services, by their names; no source
    can give any.
    """

    def __init__(
        self,
        owners: Mapping[str, str] | None = None,
        reserved: Mapping[str, str] | None = None,
        twins: Twins | None = None,
        raw: Mapping[str, Raw] | None = None,
    ) -> None:
        self.raw = dict(raw or {})
        self._reserved = dict(reserved or {})
        self._last = Merged(settled=Settled(dict(owners or {}), modes_of(owners or {})))
        self._first: dict[str, Service] = {}
        self._more: dict[str, list[Service]] = {}
        self._united: dict[str, Service] = {}
        self._differences: dict[str, tuple[Problem, ...]] = {}
        self._snapshots: tuple[Snapshot, ...] = ()
        self._named: dict[tuple[str, str], tuple[Service, Service]] = {}
        self.twins = twins or Twins()

    def merge(self, snapshots: Sequence[Snapshot]) -> Merged:
        """Unite `snapshots`, which come in the order of their sources: earlier ones win."""
        exchange = self._exchanged(snapshots)
        if exchange is None:
            first, more = self._grouped(snapshots)
            changed = [name for name, service in first.items() if self._first.get(name) is not service]
            changed += [name for name in more.keys() | self._more.keys() if self._parts_differ(name, more, first)]
            gone = self._first.keys() - first.keys()
        else:
            first, more = self._first, self._more
            first.update(exchange)
            changed, gone = list(exchange), set[str]()
        self._snapshots = tuple(snapshots)
        before = self._last.settled
        settled = (
            before
            if self._unite(first, more, changed, gone)
            else settle((self._united[name] for name in first), before, self._reserved)
        )

        touched = {*changed, *(before.lost.keys() ^ settled.lost.keys())}
        touched |= {
            name for name in before.lost.keys() & settled.lost.keys() if before.lost[name] != settled.lost[name]
        }
        old = self._last.by_name
        if exchange is None:
            by_name = {name: old[name] if name not in touched else self._final(name, settled) for name in first}
        else:
            by_name = {**old, **{name: self._final(name, settled) for name in touched}}
        merged = Merged(
            services=tuple(by_name.values()),
            problems=self._problems(snapshots, settled),
            by_name=by_name,
            settled=settled,
            stale={snapshot.source: snapshot.stale for snapshot in snapshots if snapshot.stale},
        )
        self._first, self._more = first, more
        if (exchange is not None and any(by_name[name] is not old[name] for name in touched)) or merged != self._last:
            self._last = merged
        return self._last

    def _exchanged(self, snapshots: Sequence[Snapshot]) -> dict[str, Service] | None:
        """The parts that are other objects than last time, if nothing else is different; None: group all anew."""
        if [snapshot.source for snapshot in snapshots] != [snapshot.source for snapshot in self._snapshots]:
            return None
        found: dict[str, Service] = {}
        for before, after in zip(self._snapshots, snapshots, strict=True):
            services = exchanged(before.services, after.services)
            if services is None or any(service.name in self._more for service in services):
                return None
            found |= {s.name: s if s.sources else self._with_source(s, after.source) for s in services}
        return found

    def _grouped(self, snapshots: Sequence[Snapshot]) -> tuple[dict[str, Service], dict[str, list[Service]]]:
        """Each name's first part, and all parts of the names that have several."""
        first: dict[str, Service] = {}
        more: dict[str, list[Service]] = {}
        for snapshot in snapshots:
            for service in snapshot.services:
                part = service if service.sources else self._with_source(service, snapshot.source)
                known = first.setdefault(part.name, part)
                if known is not part:
                    more.setdefault(part.name, [known]).append(part)
        return first, more

    def _with_source(self, service: Service, source: str) -> Service:
        known = self._named.get((source, service.name))
        if known is None or known[0] is not service:
            known = self._named[source, service.name] = (service, replace(service, sources=(source,)))
        return known[1]

    def _parts_differ(self, name: str, more: Mapping[str, list[Service]], first: Mapping[str, Service]) -> bool:
        if name not in first:
            return False
        old, new = self._more.get(name, []), more.get(name, [])
        return len(old) != len(new) or any(a is not b for a, b in zip(old, new, strict=True))

    def _unite(
        self, first: Mapping[str, Service], more: Mapping[str, list[Service]], changed: Iterable[str], gone: set[str]
    ) -> bool:
        """Bring the united services up to date; True if who owns what need not be settled anew."""
        same_routes = not gone
        for name in gone:
            self._united.pop(name)
            self._differences.pop(name, None)
            self.twins.forget(name)
        for name in changed:
            parts = more.get(name) or ([first[name]] if self.twins.concern(name) else [])
            service, differences = unite(parts, self.twins) if parts else (first[name], ())
            service = self._with_lines(service)
            old = self._united.get(name)
            same_routes = same_routes and old is not None and _claims(old) == _claims(service)
            self._united[name] = service
            self._differences.pop(name, None)
            if differences:
                self._differences[name] = differences
        return same_routes

    def _with_lines(self, service: Service) -> Service:
        """Add the operator's own lines, which no source can give."""
        raw = self.raw.get(service.name)
        if raw is None:
            return replace(service, raw=None) if service.raw is not None else service
        if raw.routed:
            return replace(service, raw=raw)
        return replace(service, raw=raw, routes=(), mode=raw.mode)

    def _final(self, name: str, settled: Settled) -> Service:
        service = self._united[name]
        lost = settled.lost.get(name)
        if lost:
            service = replace(service, routes=tuple(route for route in service.routes if route not in lost))
        old = self._last.by_name.get(name)
        return old if old is not None and old == service else service

    def _problems(self, snapshots: Sequence[Snapshot], settled: Settled) -> tuple[Problem, ...]:
        problems: dict[Problem, None] = {}
        for snapshot in snapshots:
            problems.update(dict.fromkeys(snapshot.problems))
            where = f"source {snapshot.source}"
            if snapshot.stale and not any(problem.where == where for problem in snapshot.problems):
                problems[Problem(where, snapshot.stale, "What it knew last stays in use until it answers again.")] = (
                    None
                )
        for differences in self._differences.values():
            problems.update(dict.fromkeys(differences))
        for lost in settled.lost.values():
            problems.update(dict.fromkeys(lost.values()))
        return tuple(problems)


def merge(snapshots: Sequence[Snapshot], owners: Mapping[str, str] | None = None) -> Merged:
    """Unite `snapshots` once, without memory; `owners` as in `Merger`."""
    return Merger(owners).merge(snapshots)


def unite(parts: Sequence[Service], twins: Twins | None = None) -> tuple[Service, tuple[Problem, ...]]:
    """Make one service of what several sources call by the same name.

    The first part with routes leads: its mode, routes and policy count. A part of the other mode gives no endpoints.
    `twins` remembers what endpoints went by the last time.
    """
    lead = next((part for part in parts if part.routes), parts[0])
    usable, problems = [], []
    for part in parts:
        if part.mode != lead.mode and part.routes:
            problems.append(_difference(part, lead, f"is {part.mode} here", "its endpoints are left out"))
            continue
        usable.append(part)
        if part.routes and part.routes != lead.routes:
            problems.append(_difference(part, lead, "has other routes here", "those of the latter count"))
        elif part.policy not in (lead.policy, _DEFAULT):
            problems.append(_difference(part, lead, "has other settings here", "those of the latter count"))
    sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
    endpoints = (twins or Twins()).unite(lead.name, usable)
    template = next((part.template for part in usable if part.template), None)
    ordered = any(part.ordered for part in usable)
    return replace(lead, endpoints=endpoints, sources=sources, template=template, ordered=ordered), tuple(problems)


_DEFAULT = Policy()


def _claims(service: Service) -> tuple[object, ...]:
    return service.mode, service.routes, service.sources


def _difference(part: Service, lead: Service, what: str, result: str) -> Problem:
    ours, theirs = ", ".join(part.sources), ", ".join(lead.sources)
    if ours == theirs:
        theirs = f"{theirs}, where it came first"
    return Problem(
        where=f"source {ours}",
        what=f'service "{part.name}" {what} than in source {theirs}; {result}',
        hint="say the same in both places, or give one of the services another name",
        service=part.name,
    )
