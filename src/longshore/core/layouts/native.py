"""longshore's own layout: what Nerve writes, and a few more keys. Nerve's readers understand it.

    etcd       <prefix>/<service>/<id>                under a lease
    ZooKeeper  <prefix>/<service>/<id>_0000000012     ephemeral, sequential

An entry may say another folder than "<prefix>/<service>" (`Entry.manner`).

The value is a JSON object: "host", "port", "name", and if there is something to say "weight",
"haproxy_server_options", "labels", "tags", "zone", "machine", "owner", "since". Further keys are ignored.

Just before an entry is removed on purpose it says "leaving": true, so that nobody takes its end for an accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.core.entries import Entry, Read
from longshore.core.layouts import payload
from longshore.core.layouts.payload import UnreadableError


def read(prefix: str, key: str, value: bytes) -> Read:
    """Read one entry. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if len(parts) < 2 and not value.strip():
        return None
    if len(parts) != 2:
        raise UnreadableError("is not <prefix>/<service>/<endpoint>", "is it meant for somebody else?")
    return entry(parts[0], payload.without_sequence(parts[1]), payload.document(value))


def entry(service: str, identity: str, found: Mapping[str, Any]) -> Entry:
    """Make an entry of a document. Raises UnreadableError."""
    since = found.get("since")
    return Entry(
        service=service,
        id=identity,
        host=payload.host_of(found),
        port=payload.port_of(found),
        name=payload.text_of(found, "name"),
        weight=payload.weight_of(found),
        labels=payload.labels_of(found),
        tags=payload.tags_of(found),
        zone=payload.text_of(found, "zone"),
        owner=payload.text_of(found, "owner"),
        server_options=payload.text_of(found, "haproxy_server_options"),
        machine=payload.text_of(found, "machine"),
        status="leaving" if found.get("leaving") is True else "",
        since=float(since) if isinstance(since, int | float) and 0 < since < 1e11 else 0.0,
    )


def write(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one entry. ZooKeeper's nodes are created with "_" behind the key, as sequential ones."""
    return payload.path(folder_of(prefix, entry), entry.id), payload.dumped(document(entry))


def folder_of(prefix: str, entry: Entry, *below: str) -> str:
    """Where an entry stands. Raises ValueError for services that cannot be part of a key."""
    return entry.manner.path or payload.path(prefix, entry.service, *below)


def document(entry: Entry) -> dict[str, Any]:
    """Give what is written of an entry."""
    more = {
        "tags": list(entry.tags),
        "zone": entry.zone,
        "machine": entry.machine,
        "owner": entry.owner,
        "since": entry.since,
        "leaving": entry.status == "leaving",
    }
    return nerves(entry) | {key: said for key, said in more.items() if said}


def nerves(entry: Entry) -> dict[str, Any]:
    """What Nerve itself would write, in its order (nerve/reporter/base.rb, get_service_data)."""
    value: dict[str, Any] = {"host": entry.host, "port": entry.port, "name": entry.name}
    if entry.weight is not None:
        value["weight"] = entry.weight
    if entry.server_options:
        value["haproxy_server_options"] = entry.server_options
    if entry.labels:
        value["labels"] = dict(entry.labels)
    return value
