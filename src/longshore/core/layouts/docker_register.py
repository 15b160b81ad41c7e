"""docker-register's layout in etcd, which docker-discover reads.

    /backends/<image>/<container id, 12 digits>    10.0.0.5:32768
    /backends/<image>/port                         8000

The port is where docker-discover listens for the service, with TCP: it becomes the service's `tcp`. It is checked as
docker-discover's HAProxy does: `check inter 2s rise 3 fall 2`. An image with slashes gives a service with "-" in their
place. (docker-register's etcd.tmpl; docker-discover's main.py and haproxy.cfg.tmpl)
"""

from __future__ import annotations

import re

from longshore.core import places
from longshore.core.entries import Entry, Read, Setting
from longshore.core.layouts import payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined

PORT = "port"
CHECKS = (("longshore.check-fall", "2"), ("longshore.check-interval", "2s"), ("longshore.check-rise", "3"))


def read(prefix: str, key: str, value: bytes) -> Read:
    """Read one container, or a service's port. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    text = value[: payload.LARGEST].decode(errors="replace").strip()
    if len(parts) < 2:
        if text:
            raise UnreadableError("is not <prefix>/<image>/<container id>", "is it meant for somebody else?")
        return None
    service = "-".join(parts[:-1])
    if parts[-1] == PORT:
        if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
            raise UnreadableError("is not a port from 1 to 65535")
        return Setting(service, (*CHECKS, ("longshore.tcp", f":{int(text)}")))
    host, port = payload.address(text)
    return Entry(service, parts[-1], host, port, name=parts[-1])


def write(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one container. Raises ValueError for a UDP port, which nobody could tell from a TCP one."""
    if dict(entry.labels).get("protocol") == "udp":
        raise ValueError("is a UDP port, and the layout docker-register has TCP ports only")
    return payload.path(prefix, entry.service, entry.id), joined(entry.host, entry.port).encode()


def write_port(prefix: str, entry: Entry) -> tuple[str, bytes] | None:
    """Write where an entry's service listens: as its labels say it, else the container's port, which its id ends with.

    It belongs to no single host: it is written without a lease, and stays.
    """
    said = dict(entry.labels)
    stem, _, number = entry.id.rpartition(":")
    own = number if stem and not places.ip(stem.strip("[]")) and stem != entry.host else ""
    for port in (said.get("longshore.tcp", "").removeprefix(":"), said.get("longshore.port", ""), own):
        if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and 1 <= int(port) <= 65535:
            return payload.path(prefix, entry.service, PORT), port.encode()
    return None
