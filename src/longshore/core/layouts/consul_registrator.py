"""What registrator tells a Consul agent to register, and how we know again what we wrote ourselves in its manner.

    ID    <host>:<container>:<port>[:udp], or what SERVICE_ID says     Name, Address, Port
    Tags  SERVICE_TAGS and `-tags`                                     Meta  its other SERVICE_…, in small letters
    Check as SERVICE_CHECK_… says: Consul itself makes it

Beside it stands a TTL check of ours, which registrator has not: the entry goes when its registrar is gone. Its notes
tell whose the entry is. A check of Consul's begins as passing, unless SERVICE_CHECK_INITIAL_STATUS says otherwise: we
have checked before we register. (registrator's consul/consul.go)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.core.entries import Entry
from longshore.core.layouts import consul, native, payload
from longshore.core.layouts.registrator import attrs_of
from longshore.core.places import joined

INTERVAL = "10s"


def registration(entry: Entry, ttl: float) -> dict[str, Any]:
    """What PUT /v1/agent/service/register takes. Raises ValueError for an id that cannot be in a path."""
    payload.path("", entry.id)
    kept = consul.keeping(entry.id, payload.dumped(native.document(entry) | {"ttl": ttl}).decode(), ttl)
    attrs = attrs_of(entry)
    check = check_of(entry, attrs)
    return {
        "ID": entry.id,
        "Name": entry.service,
        "Address": entry.host,
        "Port": entry.port,
        "Tags": list(entry.tags),
        "Meta": {_spelled(key): value for key, value in attrs.items()},
        "EnableTagOverride": False,
        "Check": kept,
        **({"Checks": [{"CheckID": f"service:{entry.id}"} | check]} if check else {}),
    }


def check_of(entry: Entry, attrs: Mapping[str, str]) -> dict[str, Any]:
    """The check that Consul is to make; empty if none is said."""
    place = joined(entry.host, entry.port)
    said = {key.removeprefix("check_"): value for key, value in attrs.items() if key.startswith("check_") and value}
    check: dict[str, Any] = {}
    if path := said.get("http"):
        check = {"HTTP": f"http://{place}{path}", "Method": said.get("http_method")}
    elif path := said.get("https"):
        check = {"HTTP": f"https://{place}{path}", "Method": said.get("https_method")}
    elif command := said.get("cmd"):
        container, port = (entry.inside.id[:12], entry.inside.port) if entry.inside else (entry.name, entry.port)
        check = {"Args": ["check-cmd", container, str(port), command]}
    elif script := said.get("script"):
        check = {"Args": [script.replace("$SERVICE_IP", entry.host).replace("$SERVICE_PORT", str(entry.port))]}
    elif ttl := said.get("ttl"):
        check = {"TTL": ttl}
    elif said.get("tcp"):
        check = {"TCP": place}
    elif said.get("grpc"):
        tls = bool(said.get("grpc_use_tls"))
        check = {"GRPC": place, "GRPCUseTLS": tls, "TLSSkipVerify": tls and bool(said.get("tls_skip_verify"))}
    if not check:
        return {}
    timed = "HTTP" in check or "TCP" in check or "GRPC" in check
    check |= {
        "Status": said.get("initial_status", "passing"),
        "Interval": "" if "TTL" in check else said.get("interval", INTERVAL),
        "Timeout": said.get("timeout") if timed else "",
        "DeregisterCriticalServiceAfter": said.get("deregister_after"),
    }
    return {key: value for key, value in check.items() if value}


def owner_in(notes: str) -> str:
    """The registrar of ours that an entry's notes tell, "" if somebody else wrote it."""
    try:
        return payload.text_of(payload.document(notes.encode("utf-8", "surrogatepass")), "owner")
    except payload.UnreadableError:
        return ""


def _spelled(key: str) -> str:
    return f"longshore-{key.removeprefix('longshore.')}" if key.startswith("longshore.") else key
