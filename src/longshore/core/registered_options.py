"""What one source makes services of: where its entries stand, which of them count, and which the operator picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from longshore.core.conditions import Condition
from longshore.core.entries import Entry
from longshore.core.layouts import Layout
from longshore.core.spec import Spec


@dataclass(frozen=True, slots=True)
class Pick:
    """A service said in the configuration, made of entries. All that is given must match."""

    name: str
    spec: Spec
    service: str | None = None  # as the registry has it
    path: str | None = None  # they stand beneath it
    labels: tuple[Condition, ...] = ()
    tag: str | None = None
    port: int | None = None  # in place of the registered one
    nameservers: tuple[str, ...] = ()  # "10.0.0.2:53": who is asked for host names, in place of the system's resolver

    def takes(self, key: str, entry: Entry, labels: Mapping[str, str]) -> bool:
        """Whether an entry belongs to this service."""
        return (
            (self.service is None or self.service == entry.service)
            and (self.path is None or beneath(self.path, key))
            and all(condition.holds(labels) for condition in self.labels)
            and (self.tag is None or self.tag in entry.tags)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How one source makes services of entries."""

    source: str
    layout: Layout
    prefix: str
    find: Literal["all", "named"] = "all"
    labels: tuple[Condition, ...] = ()
    tags: tuple[str, ...] = ()
    picks: tuple[Pick, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Where the adapter must look: none of these places is beneath another."""
        needed = [pick.path for pick in self.picks if pick.path]
        if self.find == "all" or any(not pick.path for pick in self.picks) or not needed:
            needed.append(self.prefix)
        found: list[str] = []
        for place in sorted(set(needed), key=len):
            if not any(beneath(other, place) for other in found):
                found.append(place)
        return tuple(sorted(found))

    @property
    def services(self) -> frozenset[str]:
        """The services that are picked by name, where nothing else is of interest; empty if everything may be."""
        named = [pick.service for pick in self.picks if pick.service]
        return frozenset(named) if self.find == "named" and len(named) == len(self.picks) else frozenset()

    def prefix_of(self, key: str) -> str:
        """The prefix that the layout reads a key beneath. A picked path is one service: its name stands above."""
        if beneath(self.prefix, key):
            return self.prefix
        above = [pick.path for pick in self.picks if pick.path and beneath(pick.path, key)]
        return max(above, key=len).rpartition("/")[0] if above else self.prefix


def beneath(path: str, key: str) -> bool:
    """Whether a key is a path or stands beneath it; a leading slash makes no difference."""
    path, key = path.strip("/") + "/", key.strip("/") + "/"
    return key.startswith(path)
