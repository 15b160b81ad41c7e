"""What HAProxy runs, as far as we know: a mirror that follows every step that was applied.

The mirror lets the planner work without asking HAProxy for everything on every change. `core.drift` compares it with
what HAProxy reports now and then, and the planner mends the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.core import raw_addresses, steps
from longshore.core.profile import Profile
from longshore.core.raw import RawBackend
from longshore.core.render import Admin, Frontend, Layout, Process
from longshore.core.server import Server
from longshore.core.template import Slots, owns
from longshore.core.wanted import WantedBackend


@dataclass(slots=True)
class RunningServer:
    """A server in HAProxy: how it is defined, and the two things that change while it lives."""

    server: Server
    admin: Admin
    weight: int


@dataclass(slots=True)
class RunningBackend:
    """A backend in HAProxy. One that was added at runtime gets requests only when it is published."""

    name: str
    profile: str
    servers: dict[str, RunningServer] = field(default_factory=dict)
    published: bool = True
    slots: Slots | None = None  # the servers of these are in no mirror
    raw: RawBackend | None = None  # declared, with lines of the operator's own

    def theirs(self, server: str) -> bool:
        """Whether a server is none of ours: HAProxy found it itself, or the operator wrote it."""
        return bool(self.slots and owns(server)) or bool(self.raw and self.raw.owns(server))


@dataclass(slots=True)
class Running:
    """All that HAProxy runs. Mutable: `follow` is called for every step that HAProxy accepted."""

    process: Process
    frontends: tuple[Frontend, ...] = ()
    profiles: dict[str, Profile] = field(default_factory=dict)
    backends: dict[str, RunningBackend] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)  # backend -> the service it serves
    homes: dict[str, set[str]] = field(default_factory=dict)  # the other way round; two while a service moves
    synced: dict[str, WantedBackend] = field(default_factory=dict)  # backend -> what it equals exactly
    settled: Mapping[str, WantedBackend] = field(default_factory=dict)  # service -> what was wanted of it last
    leaving: set[tuple[str, str]] = field(default_factory=set)  # (backend, server) retired and not deleted yet
    led: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # backend -> (map, key) of the routes to it

    @property
    def addresses(self) -> frozenset[str]:
        """Every address it listens on."""
        frontends = frozenset(bind.address for frontend in self.frontends for bind in frontend.binds)
        return frontends | raw_addresses.addresses(self.process.raw)

    def follow(self, step: steps.RuntimeStep) -> None:
        """Do to the mirror what the step did to HAProxy. Backends it touches must be compared again."""
        match step:
            case steps.PutMap(path, key, value):
                self._unlead(path, key, self.maps[path].get(key))
                self.maps[path][key] = value
                self.lead(path, key, value)
            case steps.DropMap(path, key):
                self._unlead(path, key, self.maps[path].pop(key, None))
            case _:
                self.synced.pop(step.backend, None)
                self._follow_backend(step)

    def place(self, backend: str, service: str) -> None:
        """Note which service a backend serves."""
        self.unplace(backend)
        self.placed[backend] = service
        self.homes.setdefault(service, set()).add(backend)

    def unplace(self, backend: str) -> None:
        """Note that a backend serves nobody."""
        service = self.placed.pop(backend, None)
        if service is not None:
            self.homes[service].discard(backend)
            if not self.homes[service]:
                del self.homes[service]

    def places_of(self, service: str, server: Server) -> list[tuple[str, str]]:
        """Where a service has this server or its twin in HAProxy, and not on its way out: backend and name."""
        return [
            (home, name)
            for home in self.homes.get(service, ())
            for name in (server.name, server.twin)
            if name in self.backends[home].servers and (home, name) not in self.leaving
        ]

    def lead(self, path: str, key: str, backend: str) -> None:
        """Note that a map entry leads to a backend."""
        if key not in self.backends:  # the other maps hold data of a backend, by its name
            self.led.setdefault(backend, set()).add((path, key))

    def _unlead(self, path: str, key: str, backend: str | None) -> None:
        if backend is not None:
            self.synced.pop(backend, None)
            self.led.get(backend, set()).discard((path, key))

    def _follow_backend(self, step: steps.BackendStep) -> None:
        match step:
            case steps.AddBackend(backend, profile):
                self.backends[backend] = RunningBackend(backend, profile, published=False)
            case steps.PublishBackend(backend):
                self.backends[backend].published = True
            case steps.AddServer(backend, server, admin):
                self.backends[backend].servers[server.name] = RunningServer(server, admin, server.weight)
            case steps.SetAdmin(backend, name, admin):
                self.backends[backend].servers[name].admin = admin
                self.leaving.discard((backend, name))
            case steps.Retire(backend, name):
                self.backends[backend].servers[name].admin = "maint"
                self.leaving.add((backend, name))
            case steps.SetWeight(backend, name, weight):
                self.backends[backend].servers[name].weight = weight
            case steps.DelServer(backend, name):
                self.backends[backend].servers.pop(name, None)
                self.leaving.discard((backend, name))
            case steps.Place(backend, service):
                self.place(backend, service)
            case steps.DelBackend(backend):
                self.backends.pop(backend, None)
                self.unplace(backend)
            case steps.Release(backend):
                self.unplace(backend)


def from_layout(layout: Layout, maps: Mapping[str, Mapping[str, str]], placed: Mapping[str, str]) -> Running:
    """The mirror of a HAProxy that was just (re)started with this configuration and these map files."""
    running = Running(
        process=layout.process,
        frontends=layout.frontends,
        profiles={p.name: p for p in layout.profiles},
        backends={
            b.name: RunningBackend(
                b.name,
                b.profile,
                {s.name: RunningServer(s, admin, s.weight) for s, admin in b.servers},
                slots=b.slots,
                raw=b.raw,
            )
            for b in layout.backends
        },
        maps={path: dict(entries) for path, entries in maps.items()},
    )
    for backend, service in placed.items():
        running.place(backend, service)
    for path, entries in running.maps.items():
        for key, value in entries.items():
            running.lead(path, key, value)
    return running
