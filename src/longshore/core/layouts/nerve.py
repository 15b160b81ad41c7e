"""Nerve's layout, as Synapse reads it.

    ZooKeeper  <zk_path>/<instance id>_0000000012          the value is the payload
               <zk_path>/base64_<length>_<payload in base64>_0000000012
                                                           with path encoding; the name counts, whatever the value
    etcd       <etcd_path>/<instance id>/<number>          the value is the payload

By SmartStack's custom a service's `zk_path` is /nerve/services/<service>/services; a last "services" is no part of the
service's name. The parents may hold configuration for Synapse, which is not read.

Nerve wrote to etcd's API v2, whose servers number the keys of a folder. That API is gone; with v3 the number is the
port in as many digits: the next run finds the same key again. (nerve/reporter/zookeeper.rb, etcd.rb)
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace

from longshore.core.entries import Entry, Read
from longshore.core.layouts import native, payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined

ENCODED = re.compile(r"base64_([0-9]{1,9})_(.*)", re.DOTALL)
LONGEST_NAME = 65536  # characters of base64 in a node's name; Nerve writes plainly what is longer
INSTANCE = re.compile(f".+{payload.SEQUENCE}", re.DOTALL | re.ASCII)
NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
DIGITS = 20  # of a number of etcd's


def read(prefix: str, key: str, value: bytes) -> Read:
    """Read one entry in ZooKeeper. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if not parts:
        return None
    written = decoded(parts[-1]) or value
    if not INSTANCE.fullmatch(parts[-1]) and not _is_payload(written):
        return None
    found = payload.document(written)
    entry = native.entry(service_of(prefix, parts[:-1]), "", found)
    return _identified(replace(entry, rank=payload.rank_of(parts[-1])))


def read_etcd(prefix: str, key: str, value: bytes) -> Read:
    """Read one entry in etcd. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if len(parts) < 2 or not (NUMBER.fullmatch(parts[-1]) or _is_payload(value)):
        return None
    return _identified(native.entry(service_of(prefix, parts[:-2]), "", payload.document(value)))


def service_of(prefix: str, parts: tuple[str, ...]) -> str:
    """The name of the service whose entries stand in a folder beneath the prefix."""
    inner = parts[:-1] if parts[-1:] == ("services",) else parts
    if not inner:
        above = [part for part in prefix.split("/") if part]
        return next((part for part in reversed(above) if part != "services"), "")
    return "-".join(inner)


def decoded(name: str) -> bytes | None:
    """The payload in a node's name; None if there is none that can be read."""
    match = ENCODED.fullmatch(name)
    if match is None:
        return None
    try:
        return base64.b64decode(match[2][: int(match[1])], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def write(prefix: str, entry: Entry, *, encoded: bool = False) -> tuple[str, bytes]:
    """Write one entry for ZooKeeper. The key ends in "_": the node is created as a sequential one.

    `encoded` puts the payload into the node's name too, unless it is too long for one.
    """
    folder = native.folder_of(prefix, entry, "services")
    value = payload.dumped(native.nerves(entry))
    if encoded if entry.manner.encoded is None else entry.manner.encoded:
        text = base64.urlsafe_b64encode(value).decode()
        if len(text) <= LONGEST_NAME:
            return payload.path(folder, f"base64_{len(text)}_{text}_"), value
    return payload.path(folder, f"{entry.id}_"), value


def write_etcd(prefix: str, entry: Entry) -> tuple[str, bytes]:
    """Write one entry for etcd."""
    folder = native.folder_of(prefix, entry, "services")
    return payload.path(folder, entry.id, f"{entry.port:0{DIGITS}}"), payload.dumped(native.nerves(entry))


def _is_payload(value: bytes) -> bool:
    """Whether a node of any name holds an endpoint: Synapse reads all of them."""
    try:
        found = payload.document(value)
    except UnreadableError:
        return False
    return "host" in found and "port" in found


def _identified(entry: Entry) -> Entry:
    """Nerve's instance id is that of a host, which may have several endpoints: the address tells them apart."""
    return replace(entry, id=joined(entry.host, entry.port))
