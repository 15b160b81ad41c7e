"""What etcd's JSON gateway speaks: bytes as base64, 64-bit numbers as decimal strings, what is zero left out.

Pure: documents in, values out. Source of protocol facts: etcd 3.4 and 3.5, api_reference_v3.md and rpc.proto.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, NamedTuple

Document = dict[str, Any]


class Pair(NamedTuple):
    """A key and what stands there. `revision` is that of its last change; `lease` 0 is none."""

    key: bytes
    value: bytes
    revision: int = 0
    lease: int = 0


class Listing(NamedTuple):
    """Everything under a prefix at one revision."""

    revision: int
    pairs: tuple[Pair, ...]


class Change(NamedTuple):
    """One event of a watch; `value` None says that the key was deleted."""

    key: bytes
    value: bytes | None
    revision: int


class Lease(NamedTuple):
    """What is left of a lease. `ttl` is in whole seconds, 0 when there is no such lease; `granted` as it was asked."""

    id: int
    ttl: int
    granted: int = 0
    keys: tuple[bytes, ...] = ()


def text(data: bytes) -> str:
    """Write bytes as the gateway wants them."""
    return b64encode(data).decode("ascii")


def prefix_end(prefix: bytes) -> bytes:
    """Give the first key after all that start with `prefix` (the `range_end` of a range; "\\0" means no end)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b"\0"


def span(prefix: bytes) -> Document:
    """Give the fields that choose all keys that start with `prefix`; b"" chooses all there are."""
    return {"key": text(prefix or b"\0"), "range_end": text(prefix_end(prefix))}


def pair(document: Mapping[str, Any]) -> Pair:
    """Read a KeyValue."""
    return Pair(
        a2b_base64(document["key"]),
        a2b_base64(document.get("value", "")),
        int(document.get("mod_revision", 0)),
        int(document.get("lease", 0)),
    )


def pairs(answer: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Read what a range found."""
    return tuple(pair(document) for document in answer.get("kvs", ()))


def ranges(answer: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Read what all the ranges of a transaction found."""
    return tuple(found for response in answer.get("responses", ()) for found in pairs(response["response_range"]))


def changes(line: Mapping[str, Any]) -> tuple[Change, ...]:
    """Read the events in a line of a watch; the type of a PUT is left out, being zero."""
    return tuple(
        Change(kv.key, None if event.get("type") == "DELETE" else kv.value, kv.revision)
        for event in line.get("events", ())
        for kv in (pair(event["kv"]),)
    )


def lease(answer: Mapping[str, Any]) -> Lease:
    """Read what is said of a lease. One that is gone is told by a TTL that is left out, or negative."""
    ttl = max(0, int(answer.get("TTL", 0)))
    return Lease(
        int(answer["ID"]), ttl, int(answer.get("grantedTTL", ttl)), tuple(map(a2b_base64, answer.get("keys", ())))
    )


def revision(document: Mapping[str, Any]) -> int:
    """Give the revision of the store that an answer tells in its header."""
    return int(document["header"]["revision"])


def is_absent(key: bytes) -> Document:
    """Compare: nothing stands at the key."""
    return {"target": "CREATE", "result": "EQUAL", "key": text(key), "create_revision": "0"}


def is_at(key: bytes, revision: int) -> Document:
    """Compare: the key was last changed by this revision."""
    return {"target": "MOD", "result": "EQUAL", "key": text(key), "mod_revision": str(revision)}


def has_lease(key: bytes, lease: int) -> Document:
    """Compare: the key stands under this lease."""
    return {"target": "LEASE", "result": "EQUAL", "key": text(key), "lease": str(lease)}


def put(key: bytes, value: bytes, lease: int) -> Document:
    """Store a value; with `lease` 0 for ever."""
    return {"key": text(key), "value": text(value), "lease": str(lease)}
