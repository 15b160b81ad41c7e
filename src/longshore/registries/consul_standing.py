"""How each entry of a registrar stands in Consul: pure bookkeeping beside the work. Entries are known by service ID.

An entry stands in two places: at the agent, which keeps its check, and in the catalog, where the agent copies it to and
everybody looks. Without a leader the first goes on alone.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.core.entries import Entry, gives_way
from longshore.core.layouts import consul, payload
from longshore.core.layouts.registrator import IDENTITY
from longshore.registries.consul_spelling import NATIVE, Spelling
from longshore.registries.hold import LeaseState, LeaseStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry as it must stand there."""

    service: str
    id: str
    body: Mapping[str, Any]  # what the agent is told

    @property
    def key(self) -> str:
        """The ID of the service."""
        return str(self.body["ID"])

    @property
    def notes(self) -> str:
        """What its check says: all of it."""
        return str(self.body["Check"]["Notes"])


@dataclass(frozen=True, slots=True)
class Found:
    """A service at the agent. `owner` is "" if somebody else wrote it."""

    owner: str
    row: Mapping[str, Any]
    notes: str  # of the check that keeps it; "" if there is none


@dataclass(slots=True)
class Told:
    """What is told of one entry."""

    service: str
    id: str
    state: LeaseState = "registering"
    since: float = field(default_factory=time.time)
    until: float = 0.0  # monotonic, when its TTL runs out; 0.0: it does not stand there yet
    error: str = ""

    def become(self, state: LeaseState, error: str = "") -> None:
        """Change the state; `since` is when it really changed."""
        if self.state != state:
            self.state, self.since = state, time.time()
        self.error = error


def written(
    entries: Mapping[str, Entry], ttl: float, spelling: Spelling = NATIVE
) -> tuple[dict[str, Wanted], dict[str, tuple[Entry, str]]]:
    """Write entries; give them by ID, and with the reason those that cannot be written."""
    wanted, unwritable = dict[str, Wanted](), dict[str, tuple[Entry, str]]()
    for entry in entries.values():
        try:
            body = spelling.registration(entry, ttl)
            if len(body["Check"]["Notes"].encode()) > payload.LARGEST:
                raise ValueError(f"is larger than {payload.LARGEST:,} bytes")
        except ValueError as error:
            unwritable[f"{entry.service}/{entry.id}"] = entry, str(error)
            continue
        wanted[body["ID"]] = Wanted(entry.service, entry.id, body)
    return wanted, unwritable


class Standings:
    """What is wanted, what stands at the agent, and what is to be told of it.

    `trouble` says why the agent cannot be used; "" if all is well. `dangling` are what another registrator left of this
    host, if `cleanup` says its name.
    """

    def __init__(self, registry: str, owner: str, ttl: float, spelling: Spelling = NATIVE, cleanup: str = "") -> None:
        self.wanted: dict[str, Wanted] | None = None  # None: nobody has said yet
        self.ours: dict[str, Found] = {}  # at the agent
        self.foreign: dict[str, Found] = {}
        self.leaving: dict[str, float] = {}  # of ours, since when (monotonic) the catalog is told that they go
        self.node = ""
        self.trouble = ""
        self._registry, self._owner, self._ttl = registry, owner, ttl
        self._spelling, self._cleanup = spelling, cleanup
        self._shown: dict[str, str] = {}  # notes of ours in the catalog, by ID
        self._told: dict[str, Told] = {}

    def want(self, wanted: dict[str, Wanted], unwritable: Mapping[str, tuple[Entry, str]]) -> None:
        """Take in what is wanted from now on."""
        self.wanted = wanted
        for key in self._told.keys() - wanted.keys() - unwritable.keys():
            if self._told[key].until:
                self._told[key].become("withdrawing")
            else:
                del self._told[key]
        for key, each in wanted.items():
            told = self._of(key, each.service, each.id)
            if told.state != "refused" and not self._is_held(key):
                told.become("registering")
        for key, (entry, error) in unwritable.items():
            self._of(key, entry.service, entry.id).become("refused", error)

    def found(self, services: Mapping[str, Mapping[str, Any]], checks: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Take in what stands at the agent; give the IDs of ours that are gone without our doing."""
        notes = {str(check.get("ServiceID")): str(check.get("Notes")) for check in checks.values()}
        self.node = next((str(check.get("Node")) for check in checks.values()), self.node)
        found = {key: self._found(row, notes.get(key, "")) for key, row in services.items()}
        lost = self.ours.keys() - found.keys()
        self.ours = {key: each for key, each in found.items() if each.owner == self._owner}
        strange = {key: each for key, each in found.items() if each.owner != self._owner}
        self.foreign = {key: each for key, each in strange.items() if not self._gives_way(key, each)}
        for key, each in self.ours.items():
            told = self._of(key, str(each.row.get("Service")), key.removeprefix(f"{each.row.get('Service')}/"))
            told.until = told.until or time.monotonic() + self._ttl
            if self.wanted is not None and key not in self.wanted and told.state != "refused":
                told.become("withdrawing", told.error)
        for key in self._told.keys() - self.ours.keys():
            self._told[key].until = 0.0
            if self._told[key].state == "withdrawing":
                del self._told[key]
        self._tell()
        return lost

    def unwanted(self) -> set[str]:
        """Give the IDs of ours that must go."""
        return set() if self.wanted is None else self.ours.keys() - self.wanted.keys()

    def dangling(self) -> list[str]:
        """Give the IDs of what another registrator left of this host."""
        if not self._cleanup or self.wanted is None:
            return []
        ids = [key for key, each in self.foreign.items() if not each.owner and key not in self.wanted]
        return [key for key in ids if (match := IDENTITY.fullmatch(key)) and match[1] == self._cleanup]

    def kept(self) -> list[str]:
        """Give the IDs of ours that are to be kept alive."""
        return [key for key in self.ours if self.wanted is None or key in self.wanted]

    def missing(self) -> list[Wanted]:
        """Give what is wanted and does not stand at the agent, and where nobody else's service is in the way."""
        wanted = self.wanted or {}
        return [each for key, each in wanted.items() if not self._stands(key) and key not in self.foreign]

    def blocked(self) -> dict[str, Found]:
        """Give the services of others that stand where ours should."""
        return {key: each for key, each in self.foreign.items() if key in (self.wanted or {})}

    def shown(self, rows: Collection[Mapping[str, Any]]) -> list[str]:
        """Take in the checks of our node in the catalog; give the IDs of ours that it shows otherwise."""
        ours = [
            row for row in rows if (entry := self._spelling.kept(row)) and getattr(entry, "owner", "") == self._owner
        ]
        self._shown = {str(row["ServiceID"]): str(row.get("Notes")) for row in ours}
        self._tell()
        gone = [key for key in self._shown if key not in self.ours and key not in self.foreign]
        late = [key for key, found in self.ours.items() if self._shown.get(key) != found.notes]
        return gone + late

    def renewed(self, key: str, until: float) -> None:
        """Know that an entry lives until then (monotonic)."""
        if key in self._told:
            self._told[key].until = until

    def withdrawn(self, key: str) -> None:
        """Know that an entry is gone by our doing; it may be wanted again already, and is then written next."""
        self.ours.pop(key, None)
        self.foreign.pop(key, None)
        self.leaving.pop(key, None)

    def refused(self, key: str, error: str) -> None:
        """Know that Consul does not let us."""
        if key in self._told:
            told = self._told[key]
            told.become(told.state if told.state == "withdrawing" else "refused", error)

    def hidden(self, error: str) -> None:
        """Say why entries are not seen by others."""
        for key in self.ours:
            if self._told[key].state == "registering":
                self._told[key].error = error

    def forget(self) -> None:
        """Know that everything is gone, as it should be."""
        self.ours = {}
        self._told.clear()

    def all(self) -> tuple[LeaseStatus, ...]:
        """Tell how each stands, by service and id."""
        statuses = [self._status(key, told) for key, told in self._told.items()]
        return tuple(sorted(statuses, key=lambda status: (status.service, status.id)))

    def _found(self, row: Mapping[str, Any], notes: str) -> Found:
        try:
            return Found(self._spelling.owner(row, notes), row, notes)
        except payload.UnreadableError:
            return Found("", row, notes)

    def _gives_way(self, key: str, found: Found) -> bool:
        """Whether what somebody else wrote may be written over: a copy, or in registrator's manner what it left."""
        wanted = (self.wanted or {}).get(key)
        left = self._spelling.over_nobodys and not found.owner and wanted and found.row.get("Service") == wanted.service
        return gives_way(found.owner, self._owner) or bool(left)

    def _tell(self) -> None:
        for key, each in (self.wanted or {}).items():
            told = self._of(key, each.service, each.id)
            if self._is_held(key):
                told.become("held")
            elif told.state not in ("refused", "registering"):
                told.become("registering")

    def _stands(self, key: str) -> bool:
        found, wanted = self.ours.get(key), (self.wanted or {}).get(key)
        return bool(found and wanted and consul.stands(wanted.body, found.row, found.notes))

    def _is_held(self, key: str) -> bool:
        return self._stands(key) and self._shown.get(key) == (self.wanted or {})[key].notes

    def _of(self, key: str, service: str, identity: str) -> Told:
        return self._told.setdefault(key, Told(service, identity))

    def _status(self, key: str, told: Told) -> LeaseStatus:
        state, since = told.state, told.since
        over = time.monotonic() - told.until
        if state == "held" and over > 0:
            state, since = "lost", time.time() - over
        error = told.error or self.trouble
        return LeaseStatus(told.service, told.id, key, self._registry, state, since, self._ttl, error)
