"""Sessions of Consul: leases for keys. A key that is acquired by a session goes with it, if the session was made so.

Consul's TTL of a session is at least 10 s, and it may let one live for up to twice that (Consul's API, "Session").
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple

from longshore.clients.consul import ConsulClient
from longshore.clients.consul_faults import ConsulError, not_consul

LEAST_TTL = 10.0  # seconds


class SessionGoneError(ConsulError):
    """There is no such session (any more), and with it its keys are gone."""


class Pair(NamedTuple):
    """What stands at a key, and the session that acquired it, "" for none."""

    value: bytes
    session: str


async def find(client: ConsulClient, name: str) -> str:
    """Give the id of the newest session of a name, "" if there is none. Raises ConsulError."""
    path = "session/list"
    found = client.read(path, await client.ask("GET", path))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise not_consul(client.address, path, json.dumps(found))
    mine = [each for each in found if each.get("Name") == name]
    return str(max(mine, key=lambda each: int(each.get("CreateIndex", 0)))["ID"]) if mine else ""


async def create(client: ConsulClient, name: str, ttl: float) -> str:
    """Make a session whose keys go when it ends, and can be acquired again at once. Raises ConsulError."""
    path = "session/create"
    asked = {"Name": name, "TTL": f"{ttl:g}s", "Behavior": "delete", "LockDelay": "0s"}
    made = client.read(path, await client.ask("PUT", path, document=asked))
    if not isinstance(made, dict) or not isinstance(made.get("ID"), str):
        raise not_consul(client.address, path, json.dumps(made))
    return str(made["ID"])


async def renew(client: ConsulClient, session: str, timeout: float = 0.0) -> None:
    """Let a session live for another TTL. Raises SessionGoneError, ConsulError."""
    try:
        await client.ask("PUT", f"session/renew/{session}", timeout=timeout)
    except ConsulError as error:
        if "not found" in str(error):
            raise SessionGoneError(f"Consul at {client.address}: the session has run out") from error
        raise


async def destroy(client: ConsulClient, session: str) -> None:
    """End a session, and remove its keys. Raises ConsulError."""
    await client.ask("PUT", f"session/destroy/{session}")


async def acquire(client: ConsulClient, key: str, value: bytes, session: str) -> bool:
    """Store a value for as long as a session lives; False if another session has the key. Raises ConsulError."""
    try:
        answer = await client.ask("PUT", f"kv/{key}", {"acquire": session}, value)
    except ConsulError as error:
        if "invalid session" in str(error):
            raise SessionGoneError(f"Consul at {client.address}: the session has run out") from error
        raise
    return answer.strip() == b"true"


async def pairs(client: ConsulClient, prefix: str) -> Mapping[str, Pair]:
    """Give what stands beneath a prefix. Raises ConsulError."""
    path = f"kv/{prefix}"
    body = (await client.get(path, {"recurse": "true"})).body
    rows = client.read(path, body)
    try:
        return {row["Key"]: Pair(_decoded(row), str(row.get("Session") or "")) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise not_consul(client.address, path, body) from error


def _decoded(row: Mapping[str, Any]) -> bytes:
    return b64decode(row.get("Value") or "")
