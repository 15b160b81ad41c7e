"""The difference between what runs and what is wanted, as ordered steps: the heart of longshore.

`plan` gives the steps to take at once, `cleanup` those that can wait. The order makes every cut safe: servers are added
before routes lead to them and before others retire, routes move before the servers they left retire, and nothing is
deleted that can still be reached. A plan cut anywhere and made again ends in the same state: tests/core/test_plan.py
cuts them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from longshore.core import steps
from longshore.core.arrange import Places, place
from longshore.core.capabilities import Capabilities
from longshore.core.differing import differing
from longshore.core.hold import NOBODY
from longshore.core.running import Running
from longshore.core.wanted import Wanted, WantedBackend


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `reload` holds the reasons for a reload, to be done after the steps; empty: none is needed."""

    steps: tuple[steps.RuntimeStep, ...]
    reload: tuple[str, ...]
    places: Places

    def __bool__(self) -> bool:
        return bool(self.steps or self.reload)


@dataclass(slots=True)
class _Parts:
    """Steps by the order in which they must happen."""

    prepare: list[steps.RuntimeStep] = field(default_factory=list)  # backends, data, servers in
    publish: list[steps.RuntimeStep] = field(default_factory=list)
    retire: list[steps.RuntimeStep] = field(default_factory=list)  # servers out, of services that stay where they are
    put: dict[tuple[str, str], steps.PutMap] = field(default_factory=dict)
    drop: dict[tuple[str, str], steps.DropMap] = field(default_factory=dict)
    abandon: list[steps.RuntimeStep] = field(default_factory=list)  # servers out, of backends that nothing leads to now

    def ordered(self) -> tuple[steps.RuntimeStep, ...]:
        drops = [drop for key, drop in self.drop.items() if key not in self.put]
        return (*self.prepare, *self.publish, *self.retire, *self.put.values(), *drops, *self.abandon)


def plan(running: Running, wanted: Wanted, caps: Capabilities) -> Plan:
    """What must be done to get from what runs to what is wanted."""
    touched = _touched(running, wanted)
    places = place(wanted, running, caps, touched)
    parts = _Parts()
    reload = [*_shape(running, wanted), *places.missing]
    for service in touched:
        backend = wanted.backends.get(service)
        name = places.backend_of.get(service)
        if backend is None or (name is not None and running.synced.get(name) is backend):
            continue
        if name is None:
            _tide_over(parts, running, backend)
        else:
            _backend(parts, running, name, backend)
    placed = set(places.backend_of.values())
    for service in touched:
        waits = service in wanted.backends and service not in places.backend_of  # for a reload: serves on until then
        for name in sorted(running.homes.get(service, ())):
            if name in placed or waits:
                continue
            if running.backends[name].raw:  # the operator's lines lead there until it is gone
                reload.append(f"backend {name} is no longer declared: service {service} {_left(service, wanted)}")
            else:
                _abandon(parts, running, name, moves=service in wanted.backends)
    return Plan(parts.ordered(), tuple(dict.fromkeys(reload)), places)


def settle(running: Running, wanted: Wanted, places: Places, failed: Collection[str]) -> None:
    """After a plan was applied: remember what equals what, so that the next plan can skip it.

    `failed` are backends of which HAProxy refused a step; they are compared again.
    """
    for service in places.looked:
        for name in running.homes.get(service, ()):
            running.synced.pop(name, None)
    for service, name in places.backend_of.items():
        if name in running.backends and name not in failed:
            running.synced[name] = wanted.backends[service]
    running.settled = wanted.backends


def cleanup(running: Running, wanted: Wanted) -> tuple[steps.RuntimeStep, ...]:
    """What can be deleted. HAProxy refuses what still has connections: ask again later."""
    found: list[steps.RuntimeStep] = [
        steps.DelServer(backend, server, "retired") for backend, server in sorted(running.leaving)
    ]
    for name, service in running.placed.items():
        backend = running.backends[name]
        if backend.servers or backend.slots or backend.raw or name in running.synced or running.led.get(name):
            continue
        now = wanted.backends.get(service)
        if now is not None and now.profile.name == backend.profile:
            continue
        found += [
            steps.DropMap(path, name, "nothing leads to it") for path in running.maps if name in running.maps[path]
        ]
        slot = name.startswith("slot:")
        found.append(steps.Release(name, "empty") if slot else steps.DelBackend(name, "nothing leads to it"))
    return tuple(found)


def _touched(running: Running, wanted: Wanted) -> list[str]:
    """The services to look at: wanted otherwise than last time, without a place, or not what they should be.

    For all others is known that they are as they are wanted: one change costs what one change costs.
    """
    touched = differing(running.settled, wanted.backends)
    if not wanted.backends.keys() <= running.homes.keys():
        touched |= wanted.backends.keys() - running.homes.keys()
    touched |= {running.placed[name] for name in running.placed.keys() - running.synced.keys()}
    return sorted(touched)


def _backend(parts: _Parts, running: Running, name: str, wanted: WantedBackend) -> None:
    """Steps for one service in its place."""
    now = running.backends.get(name)
    why = f"service {wanted.service}"
    if now is None:
        parts.prepare.append(steps.AddBackend(name, wanted.profile.name, why))
    if running.placed.get(name) != wanted.service:
        parts.prepare.append(steps.Place(name, wanted.service, why))
    data = dict(wanted.data)
    for path, value in data.items():
        entries = running.maps.get(path)
        if entries is not None and entries.get(name) != value:
            parts.prepare.append(steps.PutMap(path, name, value, name not in entries, why))
    for path, entries in running.maps.items():
        if name in entries and path not in data:
            parts.prepare.append(steps.DropMap(path, name, why))
    _servers(parts, running, name, wanted, why)
    if now is None or not now.published:
        parts.publish.append(steps.PublishBackend(name, why))
    for path, key in wanted.routes:
        if path in running.maps and running.maps[path].get(key) != name:
            parts.put[path, key] = steps.PutMap(path, key, name, key not in running.maps[path], why)
    wanted_routes = set(wanted.routes)
    for path, key in running.led.get(name, ()):
        if (path, key) not in wanted_routes:
            parts.drop[path, key] = steps.DropMap(path, key, f"{why}: route removed")


def _servers(parts: _Parts, running: Running, name: str, wanted: WantedBackend, why: str) -> None:
    now = running.backends.get(name)
    servers = now.servers if now else {}
    for server_name, server in wanted.servers.items():
        there = servers.get(server_name)
        if there is None:
            if wanted.profile.dynamic:
                parts.prepare.append(steps.AddServer(name, server.server, server.admin, server.why))
            continue
        if there.weight != server.server.weight and wanted.profile.dynamic:
            parts.prepare.append(steps.SetWeight(name, server_name, server.server.weight, why))
        if there.admin != server.admin or (name, server_name) in running.leaving:
            parts.prepare.append(steps.SetAdmin(name, server_name, server.admin, why))
    for server_name in servers:
        if server_name not in wanted.servers and (name, server_name) not in running.leaving:
            parts.retire.append(steps.Retire(name, server_name, f"{why}: it stops, or must not get traffic"))


def _tide_over(parts: _Parts, running: Running, wanted: WantedBackend) -> None:
    """A service that waits for a reload has nobody to serve it: the new servers help out in its old place.

    What the old worker holds back for want of a server (`hold`) is answered there; no other worker will ever see it.
    """
    for home in running.homes.get(wanted.service, ()):
        now = running.backends[home]
        serving = any(
            s.admin == "ready" and (home, name) not in running.leaving and name != NOBODY.name
            for name, s in now.servers.items()
        )
        if not serving and running.profiles[now.profile].dynamic and wanted.profile.dynamic:
            parts.prepare += [
                steps.AddServer(home, s.server, s.admin, f"service {wanted.service} waits for a reload")
                for name, s in wanted.servers.items()
                if name not in now.servers
            ]


def _abandon(parts: _Parts, running: Running, name: str, *, moves: bool) -> None:
    """A backend whose service is gone, or has moved to another backend."""
    why = f"service {running.placed[name]} " + ("moved" if moves else "is gone")
    for path, key in running.led.get(name, ()):
        parts.drop[path, key] = steps.DropMap(path, key, why)
    now = running.backends.get(name)
    for server_name in now.servers if now else ():
        if (name, server_name) not in running.leaving:
            parts.abandon.append(steps.Retire(name, server_name, why))


def _left(service: str, wanted: Wanted) -> str:
    return "has no lines of its own now" if service in wanted.backends else "is gone"


def _shape(running: Running, wanted: Wanted) -> tuple[str, ...]:
    """Why HAProxy must be reloaded whatever the services are."""
    reasons = []
    if replace(running.process, raw=wanted.process.raw) != wanted.process:
        reasons.append("global settings changed")
    elif running.process.raw != wanted.process.raw:
        reasons.append("lines of haproxy.raw changed")
    now = {f.name: f for f in running.frontends}
    then: Mapping[str, object] = {f.name: f for f in wanted.frontends}
    reasons += [f"new frontend {name}" for name in then if name not in now]
    reasons += [f"frontend {name} is no longer wanted" for name in now if name not in then]
    reasons += [f"frontend {name} changed" for name in then if name in now and now[name] != then[name]]
    return tuple(reasons)
