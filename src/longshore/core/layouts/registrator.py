"""registrator's layouts.

    etcd, consulkv  <prefix>/<service>/<host>:<container>:<port>[:udp]    10.0.0.5:32768
    ZooKeeper       <base>/<service>/<ip>:<public port>    {"Name","IP","PublicPort","PrivatePort","ContainerID",
                                                            "Tags","Attrs"}, ephemeral

UDP ports are passed over: nothing here balances them. (bridge.go, etcd.go, consulkv.go, zookeeper.go)
"""

from __future__ import annotations

import json
import re

from longshore.core.entries import Entry, Read
from longshore.core.layouts import payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined

IDENTITY = re.compile(r"(.+?):([a-zA-Z0-9][a-zA-Z0-9_.-]+):[0-9]+(:udp)?", re.ASCII)
"""What registrator itself makes as an id: host, container and port inside."""
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def read(prefix: str, key: str, value: bytes) -> Read:
    """Read one entry of either kind. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if len(parts) < 2 and not value.strip():
        return None
    if len(parts) != 2:
        raise UnreadableError("is not <prefix>/<service>/<endpoint>", "is it meant for somebody else?")
    service, identity = parts
    if value.lstrip().startswith(b"{"):
        return _node(service, value)
    if is_udp(identity):
        return None
    host, port = payload.address(_text(value))
    machine, name = host_in(identity)
    return Entry(service, identity, host, port, name=name, owner=machine, machine=machine)


def is_udp(identity: str) -> bool:
    """Whether an id is that of a UDP port."""
    return identity.endswith(":udp")


def host_in(identity: str) -> tuple[str, str]:
    """Give host and container of an id as registrator makes them, "" and "" for another."""
    host, _, container = identity.partition(":")
    name = container.rpartition(":")[0]
    return (host, name) if name else ("", "")


def _node(service: str, value: bytes) -> Entry | None:
    found = payload.document(value)
    host, port = payload.host_of(found, "IP"), payload.port_of(found, "PublicPort")
    tags = payload.tags_of(found, "Tags")
    if tags[-1:] == ("udp",):
        return None
    return Entry(
        service=service,
        id=joined(host, port),
        host=host,
        port=port,
        name=payload.text_of(found, "ContainerID"),
        labels=payload.labels_of(found, "Attrs"),
        tags=tags,
    )


def write(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one entry for etcd or Consul's KV store."""
    return payload.path(prefix, entry.service, entry.id), joined(entry.host, entry.port).encode()


def write_node(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one entry for ZooKeeper, as Go's encoder does."""
    found = {
        "Name": entry.service,
        "IP": entry.host,
        "PublicPort": entry.port,
        "PrivatePort": entry.inside.port if entry.inside else entry.port,
        "ContainerID": entry.inside.hostname if entry.inside else entry.name,
        "Tags": list(entry.tags),
        "Attrs": attrs_of(entry),
    }
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    written = "".join(_HTML.get(each, each) for each in text).encode("utf-8", "replace")
    return payload.path(prefix, entry.service, f"{entry.host}:{entry.port}"), written


def attrs_of(entry: Entry) -> dict[str, str]:
    """Give an entry's labels, but for those that keep UDP ports away from balancers: registrator has a tag for that."""
    udp = "udp" in entry.tags
    return {key: value for key, value in entry.labels if not (udp and key in ("longshore.enable", "protocol"))}


def _text(value: bytes) -> str:
    if len(value) > payload.LARGEST:
        raise UnreadableError(f"is {len(value):,} bytes large; expected host:port")
    return value.decode(errors="replace").strip()
