"""registrator's layouts.

    etcd, consulkv  <prefix>/<service>/<host>:<container>:<port>[:udp]    10.0.0.5:32768
    ZooKeeper       <base>/<service>/<ip>:<public port>    {"Name","IP","PublicPort","PrivatePort","ContainerID",
                                                            "Tags","Attrs"}, ephemeral

UDP ports are passed over: nothing here balances them. (bridge.go, etcd.go, consulkv.go, zookeeper.go)
"""

from __future__ import annotations

from longshore.core.entries import Entry, Read
from longshore.core.layouts import payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined


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
    if identity.endswith(":udp"):
        return None
    host, port = payload.address(_text(value))
    host_name, _, container = identity.partition(":")
    name = container.rpartition(":")[0]
    machine = host_name if name else ""
    return Entry(service, identity, host, port, name=name, owner=machine, machine=machine)


def _node(service: str, value: bytes) -> Entry:
    found = payload.document(value)
    host, port = payload.host_of(found, "IP"), payload.port_of(found, "PublicPort")
    return Entry(
        service=service,
        id=joined(host, port),
        host=host,
        port=port,
        name=payload.text_of(found, "ContainerID"),
        labels=payload.labels_of(found, "Attrs"),
        tags=payload.tags_of(found, "Tags"),
    )


def write(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one entry for etcd or Consul's KV store."""
    return payload.path(prefix, entry.service, entry.id), joined(entry.host, entry.port).encode()


def _text(value: bytes) -> str:
    if len(value) > payload.LARGEST:
        raise UnreadableError(f"is {len(value):,} bytes large; expected host:port")
    return value.decode(errors="replace").strip()
