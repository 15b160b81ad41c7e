"""registrator's layout for SkyDNS 2 in etcd, which CoreDNS's plugin `etcd` reads as well.

    /skydns/local/cluster/<service>/<id>    {"host":"10.0.0.5","port":32768}

The prefix is the domain, backwards: `cluster.local`. What more a record may say (priority, weight, ttl …) is not read.
(skydns2.go; SkyDNS, msg/service.go)
"""

from __future__ import annotations

from longshore.core.entries import Entry, Read
from longshore.core.layouts import payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.layouts.registrator import host_in, is_udp
from longshore.core.places import joined

TOP = "/skydns"


def prefix_of(domain: str) -> str:
    """The place in etcd of a domain: "/skydns/local/cluster" for "cluster.local"."""
    return "/".join((TOP, *reversed(domain.strip(".").split("."))))


def read(prefix: str, key: str, value: bytes) -> Read:
    """Read one record. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if len(parts) < 2 and not value.strip():
        return None
    if len(parts) != 2:
        raise UnreadableError("is not <domain>/<service>/<id>", "is it meant for somebody else?")
    service, identity = parts
    if is_udp(identity):
        return None
    found = payload.document(value)
    host, port = payload.host_of(found), payload.port_of(found)
    machine, name = host_in(identity)
    return Entry(service, identity or joined(host, port), host, port, name=name, owner=machine, machine=machine)


def write(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one record."""
    return payload.path(prefix, entry.service, entry.id), payload.dumped({"host": entry.host, "port": entry.port})
