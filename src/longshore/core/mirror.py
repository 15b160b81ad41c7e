"""Which entries of one registry must stand in another: what `longshore sync` holds there.

    FROM ──entries──▶ filters ──▶ a sudden loss is doubted ──▶ what TO does not have itself ──▶ wanted in TO

Copies carry an owner that starts with "sync.", so that nobody copies them again: A to B and B to A do not multiply.
When the original arrives in TO, because its registrar moved there, the copy gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from longshore.core.entries import COPY, SYNCED_BY, Entry, Status, is_copy
from longshore.core.freeze import Freeze, Mark
from longshore.core.inventory import Inventory, is_used
from longshore.core.model import Endpoint, EndpointState, Service
from longshore.core.places import joined
from longshore.core.registered_options import Options

OWNED = ("native",)
"""Layouts whose entries say their owner …"""
LABELLED = ("nerve",)
"""… and those that say it by a label. Of the others nobody can tell a copy from an original."""

OTHERS = "is none of ours"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An entry that is not copied, and why."""

    key: str
    why: str


class Mirror:
    """From what stands in FROM, and by itself in TO, to what must be held in TO.

    `layout` is TO's.
    """

    def __init__(self, options: Options, owner: str, layout: str) -> None:
        assert owner.startswith(COPY), owner
        self.freeze = Freeze(options.source)
        self.passed_over: tuple[PassedOver, ...] = ()
        self.wanted: dict[str, Entry] = {}  # by "<service>/<id>"
        self._options, self._owner = options, owner
        self._labelled = layout in LABELLED
        self._tells = layout in OWNED or self._labelled
        self._known: dict[Mark, Entry] = {}  # as they last stood in FROM
        self._services: dict[str, Service] = {}
        self._originals: set[object] = set()  # in TO

    def remember(self, there: Iterable[Entry]) -> None:
        """Know what TO has of an earlier run: the first listing of FROM is compared with it."""
        for entry in there:
            if self._owner in (entry.owner, dict(entry.labels).get(SYNCED_BY)):
                labels = tuple((key, value) for key, value in entry.labels if key != SYNCED_BY)
                self._known[entry.service, entry.id] = replace(entry, owner="", labels=labels)
        self._services = _services(self._known.values())
        self.freeze = Freeze(self._options.source, self._services.values())

    def originals(self, there: Iterable[Entry]) -> None:
        """Know what stands in TO by itself."""
        if self._tells:
            self._originals = {mark for entry in there if not is_copy(entry) for mark in _marks(entry)}

    def take(self, inventory: Inventory, now: float) -> None:
        """Take in what stands in FROM now."""
        passed_over: list[PassedOver] = []
        found: dict[Mark, Entry] = {}
        settings = inventory.settings
        for key, entry in sorted(inventory.entries.items(), key=lambda item: (item[1].since, item[0])):
            if why := self._not_copied(entry):
                if why != OTHERS:
                    passed_over.append(PassedOver(key, why))
                continue
            labels = tuple(sorted((settings.get(entry.service, {}) | dict(entry.labels)).items()))
            found[entry.service, entry.id] = replace(entry, labels=labels)
        passed_over += [PassedOver(key, f"cannot be understood: {b.what}") for key, b in inventory.broken.items()]
        self.passed_over = tuple(sorted(passed_over, key=lambda each: each.key))
        services = _services(found.values())
        before = self._services
        self._services = {n: before[n] if before.get(n) == service else service for n, service in services.items()}
        self._known.update(found)
        self.freeze.take(self._services, None, now)
        self.settle()

    def settle(self) -> None:
        """Work out what is wanted now."""
        kept = {(service.name, e.id) for service in self.freeze.services for e in service.endpoints}
        self._known = {mark: entry for mark, entry in self._known.items() if mark in kept}
        entries = [entry for entry in self._known.values() if not self._originals.intersection(_marks(entry))]
        self.wanted = {f"{entry.service}/{entry.id}": self._copy(entry) for entry in entries}

    def _copy(self, entry: Entry) -> Entry:
        mark = ((SYNCED_BY, self._owner),) if self._labelled else ()
        labels = tuple(sorted((*entry.labels, *mark)))
        status: Status = "leaving" if entry.status == "leaving" else ""
        return replace(entry, owner=self._owner, labels=labels, status=status, datacenter="")

    def _not_copied(self, entry: Entry) -> str:
        if not is_used(entry, self._options):
            return OTHERS
        if is_copy(entry):
            return OTHERS
        if entry.status == "critical":
            return "its registry says that it is not healthy"
        return "" if entry.service else "says no service"


def _marks(entry: Entry) -> Iterator[object]:
    """What tells an endpoint: layouts without ids of their own go by the address."""
    yield entry.service, entry.id
    yield entry.service, entry.host, entry.port


def _services(entries: Iterable[Entry]) -> dict[str, Service]:
    """Entries as the freeze knows them."""
    endpoints: dict[str, list[Endpoint]] = {}
    for entry in entries:
        name = entry.name or joined(entry.host, entry.port)
        state = EndpointState.STOPPING if entry.status == "leaving" else EndpointState.READY
        endpoint = Endpoint(entry.id, name, entry.host, entry.port, state=state)
        endpoints.setdefault(entry.service, []).append(endpoint)
    return {name: Service(name, endpoints=tuple(sorted(found, key=_by_id))) for name, found in endpoints.items()}


def _by_id(endpoint: Endpoint) -> str:
    return endpoint.id
