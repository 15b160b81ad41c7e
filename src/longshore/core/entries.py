"""What stands in a registry: entries that a layout understood, and those that nobody can.

An `Entry` is one endpoint as its registrar wrote it, whatever the registry and the layout. `core.layouts` reads and
writes them as bytes, `core.registered` makes services of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["", "passing", "critical", "leaving"]


NodeType = Literal["ephemeral-sequential", "ephemeral", "persistent-sequential", "persistent"]
"""Kinds of nodes in ZooKeeper; those that stay are withdrawn by us, and by nothing else."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How and where an entry is written, as far as that is not the registry's layout's to say."""

    path: str = ""  # the folder it stands in, in place of "<prefix>/<service>"
    encoded: bool | None = (
        None  # whether the payload is in the node's name too (layout nerve); None: as the layout says
    )
    node: NodeType = "ephemeral-sequential"  # in ZooKeeper
    touch: float = 0.0  # seconds between rewritings of a node that stays; 0: never


PLAIN = Manner()


@dataclass(frozen=True, slots=True)
class Inside:
    """The container behind an entry as it sees itself, which registrator's layouts tell."""

    id: str  # the full one
    hostname: str
    port: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered endpoint. Nothing in it is checked yet but the types: it is what somebody else wrote."""

    service: str  # as in the registry; "" where the layout's key does not say it
    id: str  # unique within the service; of a registrar of ours the same over restarts: it is adopted by it
    host: str  # an IP address or a host name, as written
    port: int
    name: str = ""  # for people: container, instance or host
    weight: int | None = None
    labels: tuple[tuple[str, str], ...] = ()  # sorted; "longshore.host" or any metadata: ("version", "2")
    tags: tuple[str, ...] = ()
    zone: str = ""
    owner: str = ""  # the registrar that keeps it: only it may adopt or remove the entry
    server_options: str = ""  # Nerve's haproxy_server_options
    status: Status = ""  # Consul's checks, serverset's status; "leaving": its registrar is about to remove it
    datacenter: str = ""
    since: float = 0.0  # Unix seconds when it was registered, if known
    machine: str = ""  # name of the host it runs on
    rank: int = 0  # from 1 on: where ZooKeeper numbers its nodes, the earlier the smaller
    inside: Inside | None = None  # for writing it
    manner: Manner = PLAIN  # for writing it
    why: str = ""  # why it has this status, if that is known


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry that cannot be understood."""

    key: str  # where it stands
    what: str  # "is not JSON: …"
    hint: str = ""
    service: str = ""  # the service it touches, if that is known


@dataclass(frozen=True, slots=True)
class Setting:
    """What a registry says of a service as a whole: labels that count for it where no entry says the same."""

    service: str
    labels: tuple[tuple[str, str], ...]


Read = Entry | Setting | Broken | None
"""What a layout makes of a key and its value; None: it is no entry, and none was meant (a parent node)."""

COPY = "sync."
"""What the owner of a copy starts with: an entry that `longshore sync` wrote."""
SYNCED_BY = "synced-by"
"""The label that tells it in layouts where entries have no owner."""


def is_copy(entry: Entry) -> bool:
    """Whether an entry is a copy of one in another registry. It is not copied again, and gives way to the original."""
    return entry.owner.startswith(COPY) or dict(entry.labels).get(SYNCED_BY, "").startswith(COPY)


def gives_way(owner: str, to: str) -> bool:
    """Whether what stands in an owner's name may be replaced by another's: a copy by its original."""
    return owner.startswith(COPY) and not to.startswith(COPY)
