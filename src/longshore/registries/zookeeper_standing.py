"""How each entry of a registrar stands in ZooKeeper: pure bookkeeping beside the work.

An entry is known by its `stem`, the path that its node is created with; ZooKeeper appends ten digits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.core.entries import Entry
from longshore.core.layouts import Layout
from longshore.registries.hold import LeaseState, LeaseStatus

SEQUENCE = re.compile(r"-?[0-9]{10}$")  # what ZooKeeper appends


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry as it must stand there."""

    service: str
    id: str
    stem: str
    value: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A node of ours."""

    session: int  # of this run, or of an earlier one
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


def stem_of(path: str) -> str:
    """Give the path that a sequential node was created with."""
    return SEQUENCE.sub("", path)


def written(layout: Layout, prefix: str, entries: Mapping[str, Entry]) -> tuple[dict[str, Wanted], dict[Wanted, str]]:
    """Write entries in a layout; give them by stem, and with the reason those that cannot be written."""
    wanted, unwritable = dict[str, Wanted](), dict[Wanted, str]()
    for entry in entries.values():
        said, place = (entry.service, entry.id), (entry.host, entry.port)
        try:
            if layout.write is None:
                raise ValueError(f"layout {layout.name} can only be read")
            key, value = layout.write(prefix, entry)
        except ValueError as error:
            unwritable[Wanted(*said, f"{prefix}/{entry.service}/{entry.id}", b"", *place)] = str(error)
            continue
        stem = key if layout.name == "nerve" else f"{key}_"  # Nerve's layout says the "_" itself
        wanted[stem] = Wanted(*said, stem, value, *place)
    return wanted, unwritable


class Standings:
    """What is wanted, what stands there, and what is to be told of it.

    `there` is by stem and path: normally one node of ours at a stem, none before it is registered, more than one only
    until it is mended. What is known of `doubtful` stems is to be read again before anything is written.
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
        for stem in self._told.keys() - wanted.keys() - {each.stem for each in unwritable}:
            if stem in self.there or (stem in self.doubtful and self._told[stem].state != "refused"):
                self._told[stem].become("withdrawing")
            else:
                del self._told[stem]
        for each in wanted.values():
            if not self._stands(each):
                self._of(each).become("registering")
        for each, error in unwritable.items():
            self._of(each).become("refused", error)

    def knows(self, stem: str) -> bool:
        """Whether a stem is wanted, or was seen to be ours."""
        return stem in self.wanted or stem in self.there

    def begin(self, session: int) -> None:
        """Know which session is ours, and nothing else."""
        self.session = session
        self.doubt_all()

    def doubt_all(self) -> None:
        """Know nothing for sure any more."""
        self.doubtful.update(self.wanted, self.there)

    def doubt(self, path: str) -> None:
        """Know that something happened to a node; what we removed ourselves is none of ours any more."""
        stem = stem_of(path)
        if path in self.there.get(stem, ()):
            self.doubtful.add(stem)

    def stand(self, stem: str, nodes: dict[str, Standing]) -> None:
        """Know which nodes of ours stand at a stem: all of them."""
        self.doubtful.discard(stem)
        self.there.pop(stem, None)
        if nodes:
            self.there[stem] = nodes
        wanted = self.wanted.get(stem)
        if wanted is None:
            if not nodes:
                self._told.pop(stem, None)
        elif self._stands(wanted):
            self._of(wanted).become("held")
        elif self._of(wanted).state == "held":
            self._of(wanted).become("registering")

    def left(self, path: str, node: Standing, entry: Entry) -> None:
        """Know of a node that an earlier run left."""
        stem = stem_of(path)
        self.there.setdefault(stem, {})[path] = node
        if stem not in self.wanted:
            self._told[stem] = Told(entry.service, entry.id, "withdrawing", time.time())

    def strangers(self) -> list[tuple[str, Standing]]:
        """Give the nodes that an earlier run left."""
        found = [item for nodes in self.there.values() for item in nodes.items()]
        return [(path, node) for path, node in found if node.session != self.session]

    def adopted(self, old: str, path: str, value: bytes) -> None:
        """Know that a node of ours stands in the place of one that an earlier run left."""
        stem = stem_of(path)
        nodes = self.there.get(stem, {})
        self.there[stem] = {each: node for each, node in nodes.items() if each != old}
        self.there[stem][path] = Standing(self.session, value)
        if stem in self._told and stem not in self.wanted:
            self._told[stem].become("held")

    def odd(self) -> tuple[list[str], list[str]]:
        """Give the nodes to remove: at once, and those whose entry is first to be written in another place."""
        now, later = list[str](), list[str]()
        entries = {(each.service, each.id) for each in self.wanted.values()}
        for stem in self.there.keys() - self.wanted.keys():
            told = self._told.get(stem)
            superseded = told is not None and (told.service, told.id) in entries
            (later if superseded else now).extend(self.there[stem])
        return now, later

    def unsettled(self) -> list[Wanted]:
        """Give what is wanted and does not stand there."""
        return [each for stem, each in self.wanted.items() if stem not in self.doubtful and not self._stands(each)]

    def attempt(self, wanted: Wanted) -> dict[str, Standing]:
        """Give the nodes at a stem that is to be written; nothing is sure there until that is done."""
        self.doubtful.add(wanted.stem)
        return dict(self.there.get(wanted.stem, {}))

    def settled(self, wanted: Wanted, path: str) -> None:
        """Know that an entry stands there, and nothing else of it."""
        self.stand(wanted.stem, {path: Standing(self.session, wanted.value)})

    def refused(self, stems: Iterable[str], error: str) -> None:
        """Know that ZooKeeper does not let us; what is at these stems stays in doubt."""
        for stem in stems:
            self.doubtful.add(stem)
            if stem in self.wanted:
                self._of(self.wanted[stem]).become("refused", error)
            elif stem in self._told:
                self._told[stem].error = error

    def values(self) -> dict[str, bytes]:
        """Give the value of every node of ours, by path."""
        return {path: node.value for nodes in self.there.values() for path, node in nodes.items()}

    def removed(self, path: str) -> None:
        """Know that a node is gone."""
        stem = stem_of(path)
        self.stand(stem, {each: node for each, node in self.there.get(stem, {}).items() if each != path})

    def together(self) -> None:
        """Know that the registry is there for us."""
        self._apart, self._trouble = 0.0, ""

    def apart(self, trouble: str) -> None:
        """Know that it is not, and why."""
        self._apart, self._trouble = self._apart or time.time(), trouble

    def ended(self, trouble: str) -> None:
        """Know that the session is over, and with it all that stood there."""
        self.apart(trouble)
        for stem in list(self.there):
            self.stand(stem, {})

    def forget(self) -> None:
        """Know that everything is gone, as it should be."""
        self.there.clear()
        self._told.clear()

    def all(self) -> tuple[LeaseStatus, ...]:
        """Tell how each stands, by service and id."""
        statuses = [self._status(stem, told) for stem, told in self._told.items()]
        return tuple(sorted(statuses, key=lambda status: (status.service, status.id)))

    def _stands(self, wanted: Wanted) -> bool:
        nodes = self.there.get(wanted.stem, {})
        return list(nodes.values()) == [Standing(self.session, wanted.value)]

    def _of(self, wanted: Wanted) -> Told:
        return self._told.setdefault(wanted.stem, Told(wanted.service, wanted.id, "registering", time.time()))

    def _status(self, stem: str, told: Told) -> LeaseStatus:
        state, since = told.state, told.since
        if state == "held" and self._apart:
            state, since = "lost", self._apart
        path = next(iter(self.there.get(stem, ())), stem)
        error = told.error or self._trouble
        return LeaseStatus(told.service, told.id, path, self._registry, state, since, self.ttl, error)
