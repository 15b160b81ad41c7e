"""What HAProxy reports, against what we believe it runs.

Somebody may use the runtime socket beside us, a reload may fail half-way, a connection may break in the middle of a
plan. `differences` names what is not as the mirror says; `correct` makes the mirror true, so that the next plan mends
HAProxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.core.arrange import made_for
from longshore.core.render import Admin
from longshore.core.running import Running, RunningBackend, RunningServer
from longshore.core.server import Server


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """A server as HAProxy reports it."""

    name: str
    address: str
    port: int
    admin: Admin
    weight: int
    up: bool  # its own check's opinion; true while it has none


@dataclass(frozen=True, slots=True)
class Observed:
    """All servers by backend, and the maps by file."""

    servers: Mapping[str, Mapping[str, ObservedServer]]  # every backend has an entry, even an empty one
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def differences(running: Running, observed: Observed) -> tuple[str, ...]:
    """Sentences about what is not as it should be, most of all what we did not do ourselves."""
    found: list[str] = []
    for name, backend in running.backends.items():
        there = observed.servers.get(name)
        if there is None:
            found.append(f"backend {name} is missing")
            continue
        for server_name, server in backend.servers.items():
            seen = there.get(server_name)
            if seen is None:
                found.append(f"server {name}/{server_name} is missing")
                continue
            if seen.admin != server.admin:
                found.append(f"server {name}/{server_name} is {seen.admin} instead of {server.admin}")
            if seen.weight != server.weight:
                found.append(f"server {name}/{server_name} has weight {seen.weight} instead of {server.weight}")
        others = [other for other in there if other not in backend.servers and not backend.theirs(other)]
        found += [f"server {name}/{other} is not ours" for other in others]
    for path, entries in running.maps.items():
        seen_map = observed.maps.get(path, {})
        map_name = path.rpartition("/")[2]
        for key, value in entries.items():
            if seen_map.get(key) != value:
                found.append(f"map {map_name}: {key} leads to {seen_map.get(key, 'nothing')} instead of {value}")
        found += [f"map {map_name}: {key} is not ours" for key in seen_map if key not in entries]
    return tuple(found)


def correct(running: Running, observed: Observed) -> None:
    """Make the mirror say what HAProxy says. Every backend is compared again by the next plan.

    A mirror that comes from a record on disk may be older than what runs: backends made at runtime are known by their
    names, and which service a backend serves is in HAProxy's own map.
    """
    running.synced.clear()
    for name in [n for n in running.backends if n not in observed.servers]:
        del running.backends[name]
        running.unplace(name)
    for name, seen in observed.servers.items():
        backend = running.backends.get(name) or _made_since(running, name)
        if backend is None:
            continue
        known = backend.servers
        ours = [s for s in seen.values() if not backend.theirs(s.name)]
        backend.servers = {s.name: _server(known.get(s.name), s) for s in ours}
        running.leaving -= {key for key in running.leaving if key[0] == name and key[1] not in seen}
        for server in backend.servers.values():
            if server.admin != "maint":
                running.leaving.discard((name, server.server.name))
    running.maps = {path: dict(observed.maps[path]) for path in running.maps if path in observed.maps}
    for name, service in running.maps.get(running.process.paths.service_map, {}).items():
        if name in running.backends and running.placed.get(name) != service:
            running.place(name, service)
    running.led.clear()
    for path, entries in running.maps.items():
        for key, value in entries.items():
            running.lead(path, key, value)


def _made_since(running: Running, name: str) -> RunningBackend | None:
    """Take in a backend of ours that the mirror does not know yet; None: it is not ours."""
    made = made_for(name)
    if made is None or made[1] not in running.profiles:
        return None
    service, profile = made
    running.backends[name] = RunningBackend(name, profile, published=False)  # to publish it again does no harm
    running.place(name, service)
    return running.backends[name]


def _server(known: RunningServer | None, seen: ObservedServer) -> RunningServer:
    # The name carries the hash of the definition: whoever has the name is the server we mean.
    server = known.server if known else Server(seen.name, seen.address, seen.port, "", seen.weight)
    return RunningServer(server, seen.admin, seen.weight)
