"""How each entry of a registrar stands in ZooKeeper: pure bookkeeping beside the work.

An entry is known by its slot (`zookeeper_written`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.core.entries import Entry
from longshore.registries.hold import LeaseState, LeaseStatus
from longshore.registries.zookeeper_written import Wanted, stem_of


@dataclass(frozen=True, slots=True)
class Standing:
    """A node of ours."""

    session: int  # of this run, or of an earlier one; 0 for a node that stays
    value: bytes


@dataclass(slots=True)
class Told:
    """What is told of one entry."""

    service: str
    id: str
    state: LeaseState
    since: float
    error: str = ""

    def become(self, state: LeaseState, error: str = "") -> None:
        """Change the state; `since` is when it really changed."""
        if self.state != state:
            self.state, self.since = state, time.time()
        self.error = error


class Standings:
    """What is wanted, what stands there, and what is to be told of it.

    `there` is by slot and path: normally one node of ours in a slot, none before it is registered, more than one only
    until it is mended. What is known of `doubtful` slots is to be read again before anything is written.
    """

    def __init__(self, registry: str, ttl: float) -> None:
        self.ttl = ttl
        self.wanted = dict[str, Wanted]()
        self.there = dict[str, dict[str, Standing]]()
        self.doubtful = set[str]()
        self.session = 0
        self.may_be_left = True  # by an earlier run, where we have not looked
        self._registry = registry
        self._apart = time.time()  # since when the registry is not there for us (Unix seconds), 0.0 while it is
        self._trouble = ""
        self._told = dict[str, Told]()

    @property
    def is_whole(self) -> bool:
        """Whether everything wanted stands there, or is refused."""
        return all(told.state in ("held", "refused") for told in self._told.values())

    @property
    def trouble(self) -> str | None:
        """Why the registry is not there for us; None before that is known."""
        return self._trouble or (None if self._apart else "")

    def want(self, wanted: dict[str, Wanted], unwritable: Mapping[Wanted, str]) -> None:
        """Take in what is wanted from now on."""
        if self.may_be_left:
            self.doubtful.update(wanted.keys() - self.wanted.keys() - self.there.keys())
        self.wanted = wanted
        for slot in self._told.keys() - wanted.keys() - {each.slot for each in unwritable}:
            if slot in self.there or (slot in self.doubtful and self._told[slot].state != "refused"):
                self._told[slot].become("withdrawing")
            else:
                del self._told[slot]
        for each in wanted.values():
            if not self._stands(each):
                self._of(each).become("registering")
            elif self._of(each).state == "withdrawing":
                self._of(each).become("held")
        for each, error in unwritable.items():
            self._of(each).become("refused", error)

    def knows(self, slot: str) -> bool:
        """Whether a slot is wanted, or was seen to be ours."""
        return slot in self.wanted or slot in self.there

    def slot_at(self, path: str) -> str:
        """Give the slot that a node of ours stands in."""
        stem = stem_of(path)
        if path in self.there.get(stem, ()):
            return stem
        return next((s for s, nodes in self.there.items() if path in nodes and s.startswith(stem)), stem)

    def begin(self, session: int) -> None:
        """Know which session is ours, and nothing else."""
        self.session = session
        self.doubt_all()

    def doubt_all(self) -> None:
        """Know nothing for sure any more."""
        self.doubtful.update(self.wanted, self.there)

    def doubt(self, path: str) -> None:
        """Know that something happened to a node; what we removed ourselves is none of ours any more."""
        slot = self.slot_at(path)
        if path in self.there.get(slot, ()):
            self.doubtful.add(slot)

    def stand(self, slot: str, nodes: dict[str, Standing]) -> None:
        """Know which nodes of ours stand in a slot: all of them."""
        self.doubtful.discard(slot)
        self.there.pop(slot, None)
        if nodes:
            self.there[slot] = nodes
        wanted = self.wanted.get(slot)
        if wanted is None:
            if not nodes:
                self._told.pop(slot, None)
        elif self._stands(wanted):
            self._of(wanted).become("held")
        elif self._of(wanted).state == "held":
            self._of(wanted).become("registering")

    def left(self, path: str, node: Standing, entry: Entry) -> None:
        """Know of a node that an earlier run left."""
        slot = stem_of(path)
        self.there.setdefault(slot, {})[path] = node
        if slot not in self.wanted:
            self._told[slot] = Told(entry.service, entry.id, "withdrawing", time.time())

    def strangers(self) -> list[tuple[str, Standing]]:
        """Give the nodes that an earlier run left."""
        found = [item for nodes in self.there.values() for item in nodes.items()]
        return [(path, node) for path, node in found if node.session not in (0, self.session)]

    def adopted(self, old: str, path: str, value: bytes) -> None:
        """Know that a node of ours stands in the place of one that an earlier run left."""
        slot = self.slot_at(old)
        nodes = self.there.get(slot, {})
        self.there[slot] = {each: node for each, node in nodes.items() if each != old}
        self.there[slot][path] = Standing(self.session, value)
        if slot in self._told and slot not in self.wanted:
            self._told[slot].become("held")

    def odd(self) -> tuple[list[str], list[str]]:
        """Give the nodes to remove: at once, and those whose entry is first to be written in another place."""
        now, later = list[str](), list[str]()
        entries = {(each.service, each.id) for each in self.wanted.values()}
        for slot in self.there.keys() - self.wanted.keys():
            told = self._told.get(slot)
            superseded = told is not None and (told.service, told.id) in entries
            (later if superseded else now).extend(self.there[slot])
        return now, later

    def lasting(self) -> list[str]:
        """Give the nodes of ours that would outlive the session."""
        return [path for nodes in self.there.values() for path, node in nodes.items() if not node.session]

    def unsettled(self) -> list[Wanted]:
        """Give what is wanted and does not stand there."""
        return [each for slot, each in self.wanted.items() if slot not in self.doubtful and not self._stands(each)]

    def attempt(self, wanted: Wanted) -> dict[str, Standing]:
        """Give the nodes in a slot that is to be written; nothing is sure there until that is done."""
        self.doubtful.add(wanted.slot)
        return dict(self.there.get(wanted.slot, {}))

    def settled(self, wanted: Wanted, path: str) -> None:
        """Know that an entry stands there, and nothing else of it."""
        self.stand(wanted.slot, {path: Standing(self._session(wanted), wanted.value)})

    def refused(self, slots: Iterable[str], error: str) -> None:
        """Know that ZooKeeper does not let us; what is in these slots stays in doubt."""
        for slot in slots:
            self.doubtful.add(slot)
            if slot in self.wanted:
                self._of(self.wanted[slot]).become("refused", error)
            elif slot in self._told:
                self._told[slot].error = error

    def fits(self, wanted: Wanted, path: str, node: Standing) -> bool:
        """Whether a node is of the kind that an entry is to have, of this session if it is to end with it."""
        return node.session == self._session(wanted) and (path != wanted.stem) == wanted.numbered

    def values(self) -> dict[str, bytes]:
        """Give the value of every node of ours, by path."""
        return {path: node.value for nodes in self.there.values() for path, node in nodes.items()}

    def removed(self, path: str) -> None:
        """Know that a node is gone."""
        slot = self.slot_at(path)
        self.stand(slot, {each: node for each, node in self.there.get(slot, {}).items() if each != path})

    def together(self) -> None:
        """Know that the registry is there for us."""
        self._apart, self._trouble = 0.0, ""

    def apart(self, trouble: str) -> None:
        """Know that it is not, and why."""
        self._apart, self._trouble = self._apart or time.time(), trouble

    def ended(self, trouble: str) -> None:
        """Know that the session is over, and with it all that stood there."""
        self.apart(trouble)
        for slot in list(self.there):
            self.stand(slot, {})

    def forget(self) -> None:
        """Know that everything is gone, as it should be."""
        self.there.clear()
        self._told.clear()

    def all(self) -> tuple[LeaseStatus, ...]:
        """Tell how each stands, by service and id."""
        statuses = [self._status(slot, told) for slot, told in self._told.items()]
        return tuple(sorted(statuses, key=lambda status: (status.service, status.id)))

    def _stands(self, wanted: Wanted) -> bool:
        nodes = self.there.get(wanted.slot, {})
        return [(self.fits(wanted, *each), each[1].value) for each in nodes.items()] == [(True, wanted.value)]

    def _session(self, wanted: Wanted) -> int:
        return 0 if wanted.stays else self.session

    def _of(self, wanted: Wanted) -> Told:
        return self._told.setdefault(wanted.slot, Told(wanted.service, wanted.id, "registering", time.time()))

    def _status(self, slot: str, told: Told) -> LeaseStatus:
        state, since = told.state, told.since
        if state == "held" and self._apart:
            state, since = "lost", self._apart
        path = next(iter(self.there.get(slot, ())), slot.partition("\0")[0])
        error = told.error or self._trouble
        return LeaseStatus(told.service, told.id, path, self._registry, state, since, self.ttl, error)
