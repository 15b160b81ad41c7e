"""The section `haproxy` of one service of a Synapse configuration, as `listen` or `tcp`, checks and `raw` of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from longshore.compat import haproxy_lines
from longshore.compat.given import At, Given, Told
from longshore.core.places import ip, joined
from longshore.core.values import RefusedError, shown

KEYS = (
    "disabled",
    "port",
    "bind_address",
    "bind_options",
    "server_options",
    "server_port_override",
    "frontend",
    "backend",
    "listen",
    "backend_name",
    "backend_order",
    "shared_frontend",
    "cookie_value_method",
    "use_nerve_weights",
)
ORDERS = ("asc", "desc", "no_shuffle", "shuffle")
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Whole:
    """What the section `haproxy` for all services says of each."""

    bind_address: At | None = None
    defaults: tuple[str, ...] = ()
    shared: bool = False  # whether there is a shared frontend
    unverified: bool = False  # whether it says `ssl-server-verify none`
    weighed: bool = False  # whether it says `use_nerve_weights`


@dataclass(slots=True)
class Proxy:
    """What a section `haproxy` becomes: our keys, and what concerns more than this service."""

    said: dict[str, Any] = field(default_factory=dict)
    address: At | None = None  # where it listens
    shared: list[At] = field(default_factory=list)  # its lines of the shared frontend
    server_port: At | None = None
    disabled: bool = False


def proxied(given: Given, service: str, whole: Whole) -> Proxy:
    """Read the section of a service."""
    given.only(KEYS)
    proxy = Proxy(disabled=given.flag("disabled"))
    if (port := given.port("server_port_override")) is not None:
        proxy.server_port = At(port, given.place("server_port_override"))
    frontend, backend = _lines(given)
    plain = [str(line.value) for line in (*frontend, *backend)]
    mode = haproxy_lines.mode(plain, list(whole.defaults))
    raw = _raw(given, service, frontend, backend, mode, whole)
    if (address := _address(given, whole)) and not proxy.disabled:
        proxy.address = address
        proxy.said["tcp" if mode == "tcp" else "listen"] = address
    elif mode == "tcp":
        raw["mode"] = "tcp"
    proxy.said |= _first_check(backend)
    proxy.said["raw"] = At(raw, given.place())
    proxy.shared = _shared(given, whole) if not proxy.disabled else []
    _notes(given, whole)
    return proxy


def _lines(given: Given) -> tuple[list[At], list[At]]:
    """The lines of its frontend and of its backend; those of `listen` go where they belong."""
    frontend, backend = given.texts("frontend"), given.texts("backend")
    for line in given.texts("listen"):
        try:
            ahead, behind = haproxy_lines.split([str(line.value)], frontend="port" in given.data)
        except RefusedError as refusal:
            given.told.refuse(line.place, f"{given.called('listen')}: {refusal}", refusal.hint)
            continue
        frontend += [At(each, line.place) for each in ahead]
        backend += [At(each, line.place) for each in behind]
    for line in given.texts("frontend") + given.texts("backend") + given.texts("listen"):
        if haproxy_lines.discarded(str(line.value)):
            given.told.note(line.place, f"{shown(str(line.value))} counts; Synapse left it out", steps=("raw",))
    return frontend, backend


def modernized(
    lines: list[At],
    section: str,
    told: Told,
    mode: str = "http",
    steps: tuple[str, ...] | None = None,
    *,
    unverified: bool = False,
) -> list[At]:
    """Lines as today's HAProxy takes them, with a note for each that had to be said otherwise. `mode` is no line."""
    found: list[At] = []
    is_line = section not in ("bind", "server")  # `mode` among the words of a `bind` is that of a socket
    for index in haproxy_lines.in_order([str(line.value) for line in lines]):
        line = lines[index]
        try:
            modern, note = haproxy_lines.modern(str(line.value), section, mode, unverified=unverified)
        except RefusedError as refusal:
            told.refuse(line.place, str(refusal), refusal.hint)
            continue
        if note:
            told.note(line.place, note, steps=(*steps, len(found)) if steps else None)
        found += [At(each, line.place) for each in modern if not (is_line and each.split()[0] == "mode")]
    return found


def _raw(given: Given, service: str, frontend: list[At], backend: list[At], mode: str, whole: Whole) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    listens = "port" in given.data and not given.flag("disabled")
    for key in ("frontend", "bind_options") if not listens and not given.flag("disabled") else ():
        if key in given:
            given.note(key, "has no effect without `port`")
    for side, lines in (("frontend", frontend), ("backend", backend)):
        if side == "frontend" and not listens:
            continue
        if modern := modernized(lines, side, given.told, mode, ("raw", side)):
            raw[side] = modern
    for ours, theirs in (("bind", "bind_options"), ("server", "server_options")):
        words = At(given.text(theirs).strip().replace("%{name}", "%{server}"), given.place(theirs))
        if ours == "bind" and not listens:
            continue
        said = [words] if words.value else []
        if modern := modernized(said, ours, given.told, mode, ("raw",), unverified=whole.unverified):
            raw[ours] = modern[0]
    name = given.text("backend_name")
    if name and name != service:
        raw["name"] = At(name, given.place("backend_name"))
    method = given.one_of("cookie_value_method", "name", "hash")
    cookies = (*whole.defaults, *(str(line.value) for line in backend))
    if mode != "tcp" and any(line.split()[:1] == ["cookie"] for line in cookies):
        raw["cookie"] = At(method or "name", given.place("cookie_value_method"))
        what = "HAProxy before 3.0 makes the cookies' values itself: visitors are given a server anew, once"
        given.note("cookie_value_method", what, steps=("raw", "cookie"))
    return raw


def _address(given: Given, whole: Whole) -> At | None:
    """Where the service listens; None if only other lines lead to it."""
    own = At(given.text("bind_address"), given.place("bind_address")) if "bind_address" in given else None
    said = own or whole.bind_address
    host = str(said.value) if said else "localhost"
    if "port" not in given.data:
        if own:
            given.note("bind_address", "has no effect without `port`")
        return None
    if given.data["port"] is None:
        if said is None:
            given.refuse("port", "is null, which needs a bind_address like /var/run/web.sock")
            return None
        return At(listening(host, None), said.place)
    if (port := given.port("port")) is None:
        return None
    return At(listening(host, port), given.place("port"))


def listening(host: str, port: int | None) -> str:
    """An address in our spelling: "127.0.0.1:8080", ":8080", "unix@/run/web.sock"."""
    if host.startswith("/"):
        return f"unix@{host}"
    host = re.sub(r"^ipv[46]@", "", host)
    if port is None:
        return host.replace("localhost:", f"{LOCALHOST}:")
    if host == "localhost":
        return f"{LOCALHOST}:{port}"
    if host in ("*", "0.0.0.0", ""):  # noqa: S104 - read, not bound
        return f":{port}"
    address = ip(host.strip("[]"))
    return joined(address, port) if address else f"{host}:{port}"


def _first_check(backend: list[At]) -> dict[str, At]:
    """What HAProxy is to check, for our own first check of a server."""
    place = next((line.place for line in backend if "chk" in str(line.value) or "check" in str(line.value)), None)
    try:
        found = haproxy_lines.check([str(line.value) for line in backend])
    except RefusedError:  # it has been said of the line
        return {}
    return {key: At(value, place) for key, value in found.items()} if place else {}


def _shared(given: Given, whole: Whole) -> list[At]:
    lines = given.texts("shared_frontend")
    if lines and not whole.shared:
        hint = "add `shared_frontend` to the section `haproxy` for all services, with its `bind`"
        given.refuse("shared_frontend", "has no shared frontend that it could be part of", hint)
        return []
    return modernized(lines, "frontend", given.told)


def _notes(given: Given, whole: Whole) -> None:
    if whole.weighed and "weight" in given.text("server_options").split():
        what = "its weight counts for every server; Synapse took that of the entry, with use_nerve_weights"
        given.note("server_options", what, "leave the weight out", ("raw", "server"))
    if given.one_of("backend_order", *ORDERS):
        what = "servers stand in the order in which they were found: they come and go without a reload"
        given.note("backend_order", what, "only `balance first` depends on it")
    if "use_nerve_weights" in given:
        given.flag("use_nerve_weights")
        given.note("use_nerve_weights", "weights that entries say count for every service")
    if "server_port_override" in given:
        given.note("server_port_override", "is called backend_port_override by now, and stands in the service itself")
