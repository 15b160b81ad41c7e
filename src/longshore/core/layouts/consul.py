"""Consul's catalog: rows of /v1/health/service/<name>, and what an agent is told to register.

    ID    <service>/<entry id>           Name  the service           Tags  "longshore", the entry's, and some labels
    Meta  longshore-<key>: its labels `longshore.<key>`, and of the entry owner, machine, zone, name, since
          <key>: other labels

Meta takes only keys of letters, digits, "-" and "_" with values up to 512 characters (agent/structs, ValidateMetaData):
labels that do not fit become tags `label=value`. In services of others, tags of the form `longshore.<key>=<value>` and
meta of the forms `longshore-<key>` and `longshore_<key>` (registrator's SERVICE_LONGSHORE_HOST) count as labels too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.core.entries import Broken, Entry, Status
from longshore.core.layouts import native, payload
from longshore.core.layouts.payload import UnreadableError
from longshore.core.places import joined
from longshore.core.values import shown

ALIVE = "serfHealth"
"""The check that every node has: its neighbours reach it."""
KEPT = "kept by longshore"
"""The name of the check that a registrar of ours renews."""
LEAVING = "withdrawn by its registrar"
"""What that check says when it is critical on purpose, shortly before the service is removed."""
OURS = "longshore"
"""The tag of every service that a registrar of ours wrote; reading ours, only these are asked for."""
_OWN = ("owner", "machine", "zone", "name", "since")  # of the entry, in Meta as longshore-entry-<field>
META_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_ENTRY = "longshore-entry-"
MOST_META = 64
LONGEST_META = 512


def key_of(row: Mapping[str, Any]) -> str:
    """The key under which a row is known: datacenter, node and service ID, which is unique only on its node."""
    node, service = (found if isinstance(found := row.get(key), dict) else {} for key in ("Node", "Service"))
    parts = (payload.text_of(node, "Datacenter"), payload.text_of(node, "Node"), payload.text_of(service, "ID"))
    return "/".join(parts)


def node_of(row: Mapping[str, Any]) -> str:
    """The name of a row's node."""
    node = row.get("Node")
    return payload.text_of(node, "Node") if isinstance(node, dict) else ""


def is_away(row: Mapping[str, Any]) -> bool:
    """Whether a row's node cannot be reached by its neighbours."""
    return any(check.get("CheckID") == ALIVE and check.get("Status") == "critical" for check in _checks(row))


def read(row: Mapping[str, Any]) -> Entry | Broken:
    """Read one row. Never raises."""
    try:
        return _entry(row)
    except UnreadableError as error:
        return Broken(key_of(row), str(error), error.hint)


def _entry(row: Mapping[str, Any]) -> Entry:
    node, service = _object(row, "Node"), _object(row, "Service")
    name, identity = payload.text_of(service, "Service"), payload.text_of(service, "ID")
    if not name:
        raise UnreadableError("has no name of a service")
    host = payload.host_of(service if service.get("Address") else node, "Address")
    port = payload.port_of(service, "Port")
    meta = dict(payload.labels_of(service, "Meta"))
    tags = payload.tags_of(service, "Tags")
    ours = OURS in tags and identity.startswith(f"{name}/")
    said = {field: meta.get(_ENTRY + field, "") for field in _OWN}
    labels = {payload.label_key(key): value for key, value in meta.items() if not key.startswith(_ENTRY)}
    labels |= dict(tag.split("=", 1) for tag in tags if "=" in tag and (ours or tag.startswith("longshore.")))
    if identity.endswith(":udp") and not ours:  # registrator's: nothing here balances it
        labels["longshore.enable"] = "false"
    return Entry(
        service=name,
        id=identity.removeprefix(f"{name}/") if ours else joined(host, port),
        host=host,
        port=port,
        name=said["name"] or identity,
        weight=_weight(service),
        labels=tuple(sorted(labels.items())),
        tags=tuple(tag for tag in tags if tag != OURS and not (ours and "=" in tag)),
        zone=said["zone"],
        owner=said["owner"] if ours else payload.text_of(node, "Node"),
        machine=said["machine"] if ours else payload.text_of(node, "Node"),
        status=_status(row),
        datacenter=payload.text_of(node, "Datacenter"),
        since=float(said["since"]) if re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,6})?", said["since"], re.ASCII) else 0.0,
    )


def kept(row: Mapping[str, Any], datacenter: str = "", *, plain: bool = False) -> Entry | Broken | None:
    """Read a row of /v1/health/state: an entry of ours with the status of its check; None for another check.

    `plain`: of those whose ID is not ours to make (`consul_registrator`).
    """
    identity, service = payload.text_of(row, "ServiceID"), payload.text_of(row, "ServiceName")
    if row.get("Name") != KEPT or not service or (not plain and not identity.startswith(f"{service}/")):
        return None
    try:
        found = payload.document(payload.text_of(row, "Notes").encode("utf-8", "surrogatepass"))
        entry = native.entry(service, identity.removeprefix(f"{service}/"), found)
    except UnreadableError as error:
        return Broken(f"{payload.text_of(row, 'Node')}/{identity}", str(error), error.hint)
    status: Status = "critical" if row.get("Status") == "critical" else "passing"
    if status == "critical" and row.get("Output") == LEAVING:
        status = "leaving"
    return replace(entry, status=status, datacenter=datacenter)


def registration(entry: Entry, ttl: float) -> dict[str, Any]:
    """What PUT /v1/agent/service/register takes: the entry with a TTL check that passes from the start.

    Consul itself removes a service whose check is critical only after a minute; sources do not wait for that.
    """
    found = {field: getattr(entry, field) for field in _OWN}
    meta = {_ENTRY + field: str(value) for field, value in found.items() if value}
    tags = [OURS, *entry.tags]
    for key, value in entry.labels:
        name = f"longshore-{key[len(OURS) + 1 :]}" if key.startswith(f"{OURS}.") else key
        fits = META_KEY.fullmatch(name) and len(value) <= LONGEST_META and len(meta) < MOST_META
        if fits and name not in meta and payload.label_key(name) == key:
            meta[name] = value
        else:
            tags.append(f"{key}={value}")
    body: dict[str, Any] = {
        "ID": service_id(entry),
        "Name": entry.service,
        "Address": entry.host,
        "Port": entry.port,
        "Tags": tags,
        "Meta": meta,
        "EnableTagOverride": False,
        "Check": keeping(service_id(entry), payload.dumped(native.document(entry) | {"ttl": ttl}).decode(), ttl),
    }
    if entry.weight is not None:
        body["Weights"] = {"Passing": max(entry.weight, 1), "Warning": 1}
        meta["longshore-entry-weight"] = str(entry.weight)
    return body


def keeping(service: str, notes: str, ttl: float) -> dict[str, Any]:
    """Give the check that a registrar of ours renews, for the service of an ID."""
    return {
        "CheckID": check_id(service),
        "Name": KEPT,
        "Notes": notes,
        "TTL": f"{ttl:g}s",
        "Status": "passing",
        "DeregisterCriticalServiceAfter": "1m",
    }


def owner_of(service: Mapping[str, Any]) -> str:
    """The registrar of ours that wrote a service, as its agent tells it; "" if somebody else did."""
    meta = service.get("Meta")
    ours = OURS in payload.tags_of(service, "Tags") and isinstance(meta, dict)
    return payload.text_of(meta, f"{_ENTRY}owner") if ours and isinstance(meta, dict) else ""


def stands(body: Mapping[str, Any], service: Mapping[str, Any], notes: str) -> bool:
    """Whether a service, as its agent tells it with the notes of its check, is what was registered with `body`."""
    same = all(service.get(key) == body[key] for key in ("ID", "Address", "Port", "Tags"))
    same = same and service.get("Service") == body["Name"] and (service.get("Meta") or {}) == body["Meta"]
    weights = {"Passing": 1, "Warning": 1}
    return same and service.get("Weights", weights) == body.get("Weights", weights) and notes == body["Check"]["Notes"]


def service_id(entry: Entry) -> str:
    """The ID that an entry has at its agent. Raises ValueError for what cannot stand in one."""
    return payload.path("", entry.service, entry.id)[1:]


def check_id(service: str) -> str:
    """The ID of the check that keeps a service of ours, by the ID of the service."""
    return f"longshore:{service}"


def _weight(service: Mapping[str, Any]) -> int | None:
    """The weight while passing; 1 is what everybody has who says nothing."""
    said = payload.text_of(_object(service, "Meta"), "longshore-entry-weight")
    if said.isascii() and said.isdigit():
        return int(said[:9])
    weight = _object(service, "Weights").get("Passing")
    return weight if isinstance(weight, int) and not isinstance(weight, bool) and weight > 1 else None


def _status(row: Mapping[str, Any]) -> Status:
    checks = _checks(row)
    if not checks:
        return ""
    return "critical" if any(check.get("Status") == "critical" for check in checks) else "passing"


def _checks(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    checks = row.get("Checks")
    return [check for check in checks if isinstance(check, dict)] if isinstance(checks, list) else []


def _object(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = found.get(key)
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        raise UnreadableError(f"{key} is not a JSON object: {shown(str(inner))}")
    return inner
