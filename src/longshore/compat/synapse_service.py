"""One service of a Synapse configuration as one service of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from longshore.compat.given import At, Given, Told, settle
from longshore.compat.synapse_found import Asked, Found, conditions, holds
from longshore.compat.synapse_haproxy import Proxy, Whole, proxied
from longshore.compat.synapse_multi import all_discovered
from longshore.compat.synapse_sources import Sources
from longshore.config.document import Document
from longshore.config.problems import Place
from longshore.core import server_options
from longshore.core.values import RefusedError, name, shown

KEYS = (
    "discovery",
    "discovery_multi",
    "default_servers",
    "keep_default_servers",
    "use_previous_backends",
    "backend_port_override",
    "leader_election",
    "load_test_concurrency",
    "haproxy",
    "file_output",
)
ELSEWHERE = {
    "nginx": "longshore drives HAProxy only: remove it",
    "server_port_override": "it stands beneath `haproxy`; better is `backend_port_override` here",
    "server_options": "it stands beneath `haproxy`",
    "port": "it stands beneath `haproxy`",
}
SERVER_KEYS = ("name", "host", "port", "labels", "weight", "haproxy_server_options", "id")


@dataclass(slots=True)
class Made:
    """A service that was read: what it is in our terms, and what it gives to others."""

    name: str
    place: Place
    said: At
    told: Told
    proxy: Proxy
    writes_file: bool = True  # unless file_output is off for it
    weighed: Place | None = None  # where it says that it is found in ZooKeeper, whose entries have weights
    balanced: bool = True  # False: it is there for file_output only


def made(document: Document, path: tuple[str | int, ...], called: str, sources: Sources, whole: Whole) -> Made:
    """Read the service at a path of a document."""
    told = Told(("services", called))
    given = Given(document, path, told)
    place = document.place(path, key=True)
    if not given.data:
        told.refuse(place, "expected a mapping with `discovery` and `haproxy`")
    given.only(KEYS, ELSEWHERE)
    if "load_test_concurrency" in given:
        given.whole("load_test_concurrency")
        given.note("load_test_concurrency", "has no effect: the service is there once")
    proxy = proxied(given.inner("haproxy"), called, whole)
    port = _port(given, proxy)
    found = all_discovered(given, Asked(sources, port, configured="haproxy" in given)) if given.data else Found()
    said = _origins(given, found, port)
    said |= _elected(given, found)
    said |= proxy.said
    output = given.inner("file_output")
    output.only(("disabled",))
    return Made(
        called,
        place,
        At(said, place),
        told,
        proxy,
        writes_file=not output.flag("disabled"),
        weighed=given.place("discovery", key=True) if any("path" in item for item in found.items) else None,
        balanced=not proxy.disabled,
    )


def _port(given: Given, proxy: Proxy) -> At | None:
    port = given.port("backend_port_override")
    if port is not None:
        return At(port, given.place("backend_port_override"))
    return proxy.server_port


def _origins(given: Given, found: Found, port: At | None) -> dict[str, Any]:
    """Where its endpoints come from."""
    keep = given.flag("keep_default_servers")
    previous = given.flag("use_previous_backends", default=True)
    default = _default_servers(given, port, keep=keep)
    if not found.items:
        if not default and not found.endpoints and not given.told.problems:
            given.told.note(given.place("discovery", key=True), "has no servers, and finds none: it answers 503")
        endpoints = _united(given, [*found.endpoints, *(default if keep or not found.endpoints else [])])
        return {"endpoints": endpoints}
    said: dict[str, Any] = {"from": found.items[0] if len(found.items) == 1 else found.items}
    if found.first and len(found.items) > 1:
        said["from-first"] = True
    if found.toggle:
        said["from-toggle"] = found.toggle
    if found.endpoints:
        if default and not keep:
            given.note("default_servers", "are never needed: the discovery names addresses, which are always there")
        said["fallback"] = _united(given, [*found.endpoints, *(default if keep else [])])
        if not found.first:
            said["fallback-always"] = True
    elif default:
        said["fallback"] = default
        if keep:
            said["fallback-always"] = At(value=True, place=given.place("keep_default_servers"))
    elif previous and ("use_previous_backends" in given or not all("image" in item for item in found.items)):
        said["keep-last"] = At(value=True, place=given.place("use_previous_backends"))
    elif previous:
        what = "containers that are gone do not go on as the last known: the engine tells of all there are"
        given.note("discovery", what, "to keep them, write use_previous_backends: true", steps=("from",))
    return said


def _default_servers(given: Given, port: At | None, *, keep: bool) -> list[At]:
    """The servers that are written down, as fixed endpoints."""
    filters = [each.value for each in conditions(given.inner("discovery"))] if "discovery" in given else []
    found = []
    for server in given.inners("default_servers"):
        server.only(SERVER_KEYS)
        if not server.needs("host"):
            continue
        number = server.port("port")
        if port is not None and (keep or number is None):
            number = port.value
        if number is None:
            server.refuse("port", "is missing", "add it, or `backend_port_override` to the service")
            continue
        if not all(
            holds(each, {key: str(value) for key, value in server.inner("labels").data.items()}) for each in filters
        ):
            what = f"{server.called()} has not the labels that label_filters ask for: it is left out, as by Synapse"
            server.told.note(server.place(), what)
            continue
        endpoint: dict[str, Any] = {"address": At(server.text("host"), server.place("host")), "port": number}
        endpoint |= _options(server)
        found.append(At(endpoint, server.place()))
    return _united(given, found)


def _options(server: Given) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if "name" in server:
        try:
            said["name"] = At(name(server.text("name")), server.place("name"))
        except RefusedError:
            server.note("name", f"{shown(server.text('name'))} cannot be a name: it goes by its address")
    own = server_options.read(server.text("haproxy_server_options"))
    weight = server.whole("weight", 0, 256)
    if weight is not None or own.weight is not None:
        where = "haproxy_server_options" if weight is None else "weight"
        said["weight"] = At(own.weight if weight is None else weight, server.place(where))
    if own.backup:
        said["backup"] = At(value=True, place=server.place("haproxy_server_options"))
    if own.others:
        hint = "say it for all with `server_options` of the service"
        server.note("haproxy_server_options", f"{shown(own.others)} cannot be said of one server", hint)
    return said


def _united(given: Given, endpoints: list[At]) -> list[At]:
    """Each address once."""
    known: dict[tuple[Any, Any], At] = {}
    for endpoint in endpoints:
        key = tuple(
            each.value if isinstance(each, At) else each for each in map(endpoint.value.get, ("address", "port"))
        )
        if (first := known.setdefault((key[0], key[1]), endpoint)) is not endpoint:
            what = f"{key[0]}:{key[1]} is listed twice, first in line {first.place.line}: it counts once"
            given.told.note(endpoint.place, what)
    return list(known.values())


def _elected(given: Given, found: Found) -> dict[str, Any]:
    if not given.flag("leader_election"):
        return {}
    if any("path" not in item for item in found.items) or not found.items:
        what = "elects the smallest address: only entries of ZooKeeper have the numbers that Synapse compares"
        given.note("leader_election", what, steps=("only",))
    elif len(found.items) > 1:
        given.note("leader_election", "elects one of all; Synapse elected one for each watcher", steps=("only",))
    return {"only": At("leader", given.place("leader_election"))}


def put(document: Document, service: Made) -> None:
    """Write a service into our document."""
    services = document.data.setdefault("services", {})
    services[service.name] = settle(document, ("services", service.name), service.said, service.place)
    document.notes += service.told.notes
