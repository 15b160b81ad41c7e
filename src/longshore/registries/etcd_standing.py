"""How each entry of a registrar stands in etcd, or in Consul's store: pure bookkeeping beside the work."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Protocol

from longshore.core.entries import Entry, Read
from longshore.core.layouts import Layout
from longshore.registries.hold import LeaseState, LeaseStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry as it must stand there."""

    service: str
    id: str
    written: str  # the key
    value: bytes
    also: tuple[bytes, bytes] | None = None  # a further key and value, which several registrars may share

    @property
    def key(self) -> bytes:
        """The key as etcd knows it."""
        return self.written.encode()


@dataclass(slots=True)
class Standing:
    """One entry and its state."""

    service: str
    id: str
    written: str
    state: LeaseState
    since: float
    error: str = ""

    def become(self, state: LeaseState, error: str = "") -> None:
        """Change the state; `since` tells when it really changed."""
        if self.state != state:
            self.state, self.since = state, time.time()
        self.error = error


def written(layout: Layout, prefix: str, entries: Mapping[str, Entry]) -> tuple[dict[bytes, Wanted], dict[Wanted, str]]:
    """Write entries in a layout; give them by key, and with the reason those that cannot be written."""
    wanted, unwritable = dict[bytes, Wanted](), dict[Wanted, str]()
    assert layout.write is not None, f"nothing is written in the layout {layout.name}"
    for entry in entries.values():
        try:
            key, value = layout.write(prefix, entry)
            shared = layout.also(prefix, entry) if layout.also else None
        except ValueError as error:
            unwritable[Wanted(entry.service, entry.id, f"{prefix}/{entry.service}/{entry.id}", b"")] = str(error)
            continue
        also = (shared[0].encode(), shared[1]) if shared else None
        each = Wanted(entry.service, entry.id, key, value, also)
        if (other := wanted.setdefault(each.key, each)) is not each:
            why = f"{other.service}/{other.id} has the same key"
            unwritable[replace(each, written=f"{key} of {entry.service}")] = f"{why} {key}"
    return wanted, unwritable


def read(layout: Layout, prefix: str, key: str, value: bytes) -> Read:
    """Read what stands at a key of ours: beneath the prefix, or in a folder that an entry says itself."""
    return layout.read(prefix if key.startswith(f"{prefix}/") else "/".join(key.split("/")[:-3]), key, value)


TWIN = (
    "another registrar goes by this one's name and keeps it there: on a copy of this machine, or here with another "
    "state directory; remove the registrar.json of one of them, and give it another `register.name`"
)


class Lease(Protocol):
    """What all entries of a registrar stand under: a lease, or a session of Consul's."""

    @property
    def ttl(self) -> float: ...  # noqa: D102  in seconds
    @property
    def expired(self) -> float: ...  # noqa: D102  seconds since it must have run out, 0 while it lives
    @property
    def strange(self) -> Set[bytes]: ...  # noqa: D102  the keys that somebody else keeps under it


class Standings:
    """All that is wanted or still being withdrawn, and one of those that somebody else keeps under our lease.

    `unreachable` and `unwritten` say why the lease cannot be renewed, or nothing be written; "" if all is well.
    """

    def __init__(self, registry: str, lease: Lease) -> None:
        self.unreachable = self.unwritten = ""
        self._registry = registry
        self._lease = lease
        self._standings = dict[bytes, Standing]()  # by key

    @property
    def any_refused(self) -> bool:
        """Whether an entry is refused, and to be tried again later."""
        return any(standing.state == "refused" for standing in self._standings.values())

    def want(
        self, wanted: Mapping[bytes, Wanted], unwritable: Mapping[Wanted, str], there: Mapping[bytes, bytes]
    ) -> None:
        """Take in what is wanted from now on."""
        for key, standing in list(self._standings.items()):
            if key not in wanted and standing.error != TWIN:
                if key in there or standing.state == "registering":
                    standing.become("withdrawing")
                else:
                    del self._standings[key]
        for key, each in wanted.items():
            standing = self._of(each)
            if there.get(key) != each.value:
                standing.become("registering")
        for each, error in unwritable.items():
            self._of(each).become("refused", error)

    def found(self, there: Mapping[bytes, bytes], wanted: Mapping[bytes, Wanted], layout: Layout, prefix: str) -> None:
        """Take in what really stands under our lease: adopted, left over, or gone; or kept there by somebody else."""
        strange = self._lease.strange
        twin = {min(strange)} if strange else set()  # one is enough to tell
        for key in [key for key, standing in self._standings.items() if standing.error == TWIN and key not in twin]:
            del self._standings[key]
        for key, value in there.items():
            if key not in wanted and key not in self._standings and key not in strange - twin:
                text = key.decode(errors="backslashreplace")
                entry = read(layout, prefix, text, value)
                service, identity = (entry.service, entry.id) if isinstance(entry, Entry) else ("", text)
                made = self._standings[key] = Standing(service, identity, text, "withdrawing", time.time())
                if key in twin:
                    made.become("refused", TWIN)
        for key, each in wanted.items():
            standing = self._of(each)
            if there.get(key) == each.value:
                standing.become("held")
            elif standing.state != "refused":
                standing.become("registering")
        for key, standing in list(self._standings.items()):
            if standing.state == "withdrawing" and key not in there:
                del self._standings[key]

    def held(self, wanted: Wanted) -> None:
        """Know that an entry was written; it may be unwanted already."""
        standing = self._standings.get(wanted.key)
        if standing is not None and standing.state != "withdrawing":
            standing.become("held")

    def refused(self, wanted: Wanted, error: str) -> None:
        """Know that etcd does not take an entry; it may be unwanted already."""
        standing = self._standings.get(wanted.key)
        if standing is not None and standing.state != "withdrawing":
            standing.become("refused", error)

    def withdrawn(self, key: bytes) -> None:
        """Know that an entry is gone; it may be wanted again already, and is then written next."""
        self._standings.pop(key, None)

    def forget(self) -> None:
        """Know that everything is gone."""
        self._standings.clear()

    def all(self) -> tuple[LeaseStatus, ...]:
        """Tell how each stands, by service and id."""
        told = [self._told(standing) for standing in self._standings.values()]
        return tuple(sorted(told, key=lambda lease: (lease.service, lease.id)))

    def _told(self, standing: Standing) -> LeaseStatus:
        state, since, error = standing.state, standing.since, standing.error or self.unwritten or self.unreachable
        if state == "held" and self._lease.expired:
            state, since = "lost", time.time() - self._lease.expired
        ttl = float(self._lease.ttl)
        return LeaseStatus(standing.service, standing.id, standing.written, self._registry, state, since, ttl, error)

    def _of(self, wanted: Wanted) -> Standing:
        standing = self._standings.get(wanted.key)
        if standing is None:
            standing = Standing(wanted.service, wanted.id, wanted.written, "registering", time.time())
            self._standings[wanted.key] = standing
        return standing
