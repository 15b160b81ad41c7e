"""What of a registrar must stand in ZooKeeper: each entry with its node.

An entry is known by its `slot`: the `stem`, which is the path that its node is created with (ZooKeeper appends ten
digits), and the address, where the entries of a host share one stem as Nerve's do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from longshore.core.entries import PLAIN, Entry, Manner
from longshore.core.layouts import Layout, nerve

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
    manner: Manner = PLAIN
    slot: str = ""

    @property
    def stays(self) -> bool:
        """Whether its node outlives the session."""
        return self.manner.node.startswith("persistent")

    @property
    def numbered(self) -> bool:
        """Whether ZooKeeper appends a number."""
        return self.manner.node.endswith("sequential")


def stem_of(path: str) -> str:
    """Give the path that a sequential node was created with."""
    return SEQUENCE.sub("", path)


def slot_of(stem: str, host: str, port: int) -> str:
    """Name the slot of one of the entries that share a stem."""
    return f"{stem}\0{host}:{port}"


def written(layout: Layout, prefix: str, entries: Mapping[str, Entry]) -> tuple[dict[str, Wanted], dict[Wanted, str]]:
    """Write entries in a layout; give them by slot, and with the reason those that cannot be written."""
    wanted, unwritable = dict[str, Wanted](), dict[Wanted, str]()
    for entry in entries.values():
        said, place = (entry.service, entry.id), (entry.host, entry.port)
        try:
            if layout.write is None:
                raise ValueError(f"layout {layout.name} can only be read")
            key, value = layout.write(prefix, entry)
        except ValueError as error:
            slot = f"{prefix}/{entry.service}/{entry.id}"
            unwritable[Wanted(*said, slot, b"", *place, slot=slot)] = str(error)
            continue
        stem = key if layout.name in ("nerve", "registrator") else f"{key}_"  # Nerve's layout says the "_" itself
        manner = replace(entry.manner, node="ephemeral") if layout.name == "registrator" else entry.manner
        each = Wanted(*said, stem, value, *place, manner, stem)
        if layout.name == "nerve" and each.numbered and not is_encoded(stem):
            each = replace(each, slot=slot_of(stem, *place))
        if (other := wanted.get(each.slot)) is None:
            wanted[each.slot] = each
        else:
            why = f"{other.service}/{other.id} has the same node {stem}"
            unwritable[replace(each, slot=f"{each.slot}\0{entry.service}")] = why
    return wanted, unwritable


def is_encoded(stem: str) -> bool:
    """Whether a node's name holds the whole entry."""
    return nerve.decoded(stem.rpartition("/")[2]) is not None
