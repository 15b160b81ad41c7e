"""Where a service lives in HAProxy: in a backend made for it (HAProxy 3.4), or in a slot declared beforehand.

A service keeps its place while its profile stays. `place` finds places that need no reload and says what a reload would
have to bring for the rest; `layout` is the configuration that such a reload renders, with room for what may come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from longshore.core.capabilities import Capabilities
from longshore.core.profile import Profile
from longshore.core.render import Backend, Layout
from longshore.core.running import Running
from longshore.core.template import Slots
from longshore.core.wanted import Wanted, WantedBackend


@dataclass(frozen=True, slots=True)
class Places:
    """The backend of each service that has one, and why the others need a reload."""

    backend_of: Mapping[str, str]  # service -> backend
    missing: tuple[str, ...]  # reasons, one per service without a place
    looked: Collection[str] = ()  # the services that were looked at


def place(wanted: Wanted, running: Running, caps: Capabilities, services: Collection[str]) -> Places:
    """Find a place for each of these services without a reload. Those that have one keep it."""
    backend_of = _kept(wanted, running, services)
    missing = []
    waiting = set()
    for service, home in list(backend_of.items()):
        backend = wanted.backends[service]
        if not backend.profile.dynamic and backend.servers.keys() - running.backends[home].servers.keys():
            del backend_of[service]
        elif backend.raw != running.backends[home].raw:
            del backend_of[service]
            missing.append(f"service {service}: the lines of its backend changed")
            waiting.add(service)
        elif backend.slots != running.backends[home].slots:
            del backend_of[service]
            missing.append(f"service {service}: {_slots_changed(running.backends[home].slots, backend.slots)}")
            waiting.add(service)
    free: dict[str, list[str]] | None = None
    for service in services:
        if service in backend_of or service in waiting or service not in wanted.backends:
            continue
        backend = wanted.backends[service]
        profile = backend.profile
        if backend.raw:
            missing.append(_declared(service, backend, running))
        elif profile.name not in running.profiles:
            missing.append(f"service {service} needs a profile that HAProxy has not loaded yet ({profile.name})")
        elif backend.slots:
            missing.append(f"service {service}: {_slots_changed(None, backend.slots)}")
        elif not profile.dynamic:
            missing.append(f"service {service}: its balance algorithm takes no servers at runtime")
        elif caps.add_backend:
            backend_of[service] = made_name(service, profile)
        else:
            free = _free_slots(running) if free is None else free
            slots = free.get(profile.name)
            if slots:
                backend_of[service] = slots.pop()
            else:
                missing.append(f"service {service}: no free backend slot of profile {profile.name} is left")
    return Places(backend_of, tuple(missing), services)


Laid = dict[str, tuple[WantedBackend, Backend]]
"""By name, what each backend was laid out from: what is wanted as before is the identical `Backend`."""


def layout(
    wanted: Wanted,
    running: Running | None,
    caps: Capabilities,
    always: tuple[Profile, ...],
    spare: int,
    laid: Laid | None = None,
) -> tuple[Layout, dict[str, str]]:
    """The configuration that has a place for everything wanted, and `spare` free slots of each profile.

    Returns it with the backend of each service. `always` are profiles to keep ready for services to come. Services keep
    the backend they have: HAProxy hands a server's state to the new worker by its backend's and its own name. `laid` is
    a memory from one time to the next.
    """
    backend_of = _kept(wanted, running, wanted.backends) if running else {}
    profiles = {p.name: p for p in always} | {b.profile.name: b.profile for b in wanted.backends.values()}
    movable = [b.profile.name for b in wanted.backends.values() if b.profile.dynamic and not b.raw]
    used, roomy = Counter(movable), {*movable, *(p.name for p in always)}
    slots: dict[str, list[str]] = {}
    taken = set(backend_of.values()) | set(running.placed if running else ())
    if not caps.add_backend:
        for profile in profiles.values():
            if profile.dynamic and profile.name in roomy:
                room = used[profile.name] + max(spare, used[profile.name] // 2)
                names = [f"slot:{profile.name}:{i:03}" for i in range(1, room + len(taken) + 1)]
                slots[profile.name] = [n for n in names if n not in taken][:room]
    servers_of = {}
    for service, backend in wanted.backends.items():
        if service not in backend_of:
            free = None if backend.slots or backend.raw else slots.get(backend.profile.name)
            own = backend.raw.name if backend.raw else made_name(service, backend.profile)
            backend_of[service] = free.pop(0) if free else own
        servers_of[backend_of[service]] = backend
    before = dict(laid or {})
    made = {
        name: known if (known := before.get(name)) and known[0] is backend else (backend, _laid(name, backend))
        for name, backend in servers_of.items()
    }
    if laid is not None:
        laid.clear()
        laid.update(made)
    backends = [backend for _, backend in made.values()]
    for profile_name, names in slots.items():
        backends += [_spare(name, profile_name) for name in names]
    backends.sort(key=lambda b: b.name)
    return Layout(wanted.process, wanted.frontends, tuple(profiles.values()), tuple(backends)), backend_of


@lru_cache(maxsize=8192)
def _spare(name: str, profile: str) -> Backend:
    """A free slot: the identical object each time, as it is not written out again then."""
    return Backend(name, profile)


def _laid(name: str, backend: WantedBackend) -> Backend:
    servers = tuple((server.server, server.admin) for server in backend.servers.values())
    return Backend(name, backend.profile.name, servers, backend.slots, backend.raw)


def map_files(wanted: Wanted, backend_of: Mapping[str, str], every_map: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """What the map files must contain, by path; `every_map` are those that must exist even when they are empty."""
    files: dict[str, dict[str, str]] = {path: {} for path in every_map}
    for service, backend in wanted.backends.items():
        name = backend_of.get(service)
        if name is None:
            continue
        for path, key in backend.routes:
            if path in files:
                files[path][key] = name
        for path, value in backend.data:
            files[path][name] = value
    return files


def made_name(service: str, profile: Profile) -> str:
    """The name of a backend made for one service: another profile makes another backend."""
    return f"s:{service}:{profile.name.removeprefix('p-')}"


def made_for(backend: str) -> tuple[str, str] | None:
    """The service and the profile's name that `made_name` made this name of; None: it is not one of those."""
    kind, _, rest = backend.partition(":")
    service, _, digest = rest.rpartition(":")
    return (service, f"p-{digest}") if kind == "s" and service else None


def _kept(wanted: Wanted, running: Running, services: Iterable[str]) -> dict[str, str]:
    kept = {}
    for service in services:
        now = wanted.backends.get(service)
        for backend in running.homes.get(service, ()) if now is not None else ():
            if now and backend in running.backends and running.backends[backend].profile == now.profile.name:
                declared = running.backends[backend].raw
                if (declared and declared.name) != (now.raw and now.raw.name):
                    continue
                if now.slots and backend.startswith("slot:"):
                    continue  # it would be taken for a free one when the service is gone
                kept[service] = backend
    return kept


def _declared(service: str, backend: WantedBackend, running: Running) -> str:
    """Why a service with lines of its own waits for a reload."""
    assert backend.raw
    if backend.raw.name not in running.homes.get(service, ()):
        return f"service {service} has lines of its own: its backend {backend.raw.name} must be declared"
    if backend.static and backend.profile.name == running.backends[backend.raw.name].profile:
        return f"service {service}: HAProxy takes no such servers at runtime ({backend.static})"
    return f"service {service}: its lines or its settings changed"


def _slots_changed(before: Slots | None, after: Slots | None) -> str:
    if after is None:
        return "HAProxy no longer looks for its endpoints itself"
    return "HAProxy looks for its endpoints itself" + (", in another way or with more room" if before else "")


def _free_slots(running: Running) -> dict[str, list[str]]:
    free: dict[str, list[str]] = {}
    for name in sorted(running.backends, reverse=True):
        backend = running.backends[name]
        if name not in running.placed and not backend.servers and name.startswith("slot:"):
            free.setdefault(backend.profile, []).append(name)
    return free
