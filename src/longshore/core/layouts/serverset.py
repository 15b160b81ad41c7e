"""Twitter's serversets in ZooKeeper, as Aurora and Finagle write them and Synapse reads them.

    <path>/member_0000000012    {"serviceEndpoint": {"host", "port"}, "additionalEndpoints": {NAME: {"host", "port"}},
                                 "status": "ALIVE", "shard": 0}

Only those that are ALIVE get traffic.
"""

from __future__ import annotations

from typing import Any

from longshore.core.entries import Entry, Read
from longshore.core.layouts import payload
from longshore.core.layouts.nerve import service_of
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined
from longshore.core.values import shown

MEMBER = "member_"


def read(prefix: str, key: str, value: bytes, endpoint: str = "") -> Read:
    """Read one member; `endpoint` names one of its additional endpoints. Raises UnreadableError."""
    parts = payload.below(prefix, key)
    if not parts or not (parts[-1].startswith(MEMBER) or _is_member(value)):
        return None
    found = payload.document(value)
    place = _endpoint(found, endpoint)
    host, port = payload.host_of(place), payload.port_of(place)
    alive = found.get("status", "ALIVE") == "ALIVE"
    return Entry(
        service=service_of(prefix, parts[:-1]),
        id=joined(host, port),
        host=host,
        port=port,
        name=payload.text_of(found, "shard"),
        status="passing" if alive else "critical",
        rank=payload.rank_of(parts[-1]),
    )


def _endpoint(found: dict[str, Any], name: str) -> dict[str, Any]:
    more = found.get("additionalEndpoints")
    place = (more.get(name) if isinstance(more, dict) else None) if name else found.get("serviceEndpoint")
    if isinstance(place, dict):
        return place
    if not name:
        raise UnreadableError("has no serviceEndpoint")
    known = ", ".join(shown(key) for key in sorted(more)[:10]) if isinstance(more, dict) and more else "none"
    raise UnreadableError(f"has no endpoint named {shown(name)}", f"its additional endpoints: {known}")


def _is_member(value: bytes) -> bool:
    try:
        return "serviceEndpoint" in payload.document(value)
    except UnreadableError:
        return False
