"""Services to backends: what HAProxy should run, one `WantedBackend` per service, the same object while it stays so.

The planner compares by identity first, so one change costs what one change costs. `Wanter` is the memory behind that:
it turns each service into its backend once and again only when the service, its overrides or its admissions changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from longshore.core import hold, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Endpoint, EndpointState, Problem, Route, Service
from longshore.core.overrides import Overrides
from longshore.core.profile import Profile, profile_of
from longshore.core.raw import Line, Raw, RawBackend
from longshore.core.render import Admin, Bind, Frontend, Paths, Process
from longshore.core.routes import frontend_of, map_key
from longshore.core.server import Server, server_of
from longshore.core.template import Slots, slots_of

Serves = Callable[[Service, Endpoint, Server], bool]
"""Whether an endpoint may get traffic: it is in HAProxy already, or it answered the first check."""


@dataclass(frozen=True, slots=True)
class WantedServer:
    """A server as it should be; `admin` is `ready` unless an operator said otherwise."""

    server: Server
    admin: Admin
    endpoint: str  # the endpoint's id
    why: str


@dataclass(frozen=True, slots=True)
class WantedBackend:
    """One service as HAProxy should serve it, wherever it is placed. Map entries come without the value."""

    service: str
    profile: Profile
    servers: Mapping[str, WantedServer]
    routes: tuple[tuple[str, str], ...]  # the value is the backend's name
    data: tuple[tuple[str, str], ...]  # map file and value; the key is the backend's name
    slots: Slots | None = None  # servers that HAProxy finds itself
    raw: RawBackend | None = None  # the operator's lines in it: it is declared, by a name of its own
    static: str = ""  # why HAProxy takes no servers of it at runtime, in its own words


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything HAProxy should run."""

    process: Process
    frontends: tuple[Frontend, ...]
    backends: Mapping[str, WantedBackend]  # by service name
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Wanter:
    """Turns services into wanted backends, and remembers."""

    caps: Capabilities
    paths: Paths
    own: tuple[Line, ...] = ()  # the operator's, for the profiles of services with lines of their own
    _static: dict[str, tuple[Raw, str]] = field(default_factory=dict)  # whose servers HAProxy refused at runtime
    _known: dict[str, tuple[Service, object, frozenset[str], WantedBackend]] = field(default_factory=dict)
    _servers: dict[str, tuple[Service, Profile, dict[str, Server]]] = field(default_factory=dict)

    def servers(self, service: Service) -> Mapping[str, Server]:
        """The server of each endpoint of a service, by endpoint id, whether it may serve or not."""
        return self._definitions(service)[1]

    def backend(self, service: Service, overrides: Overrides, serves: Serves, *, recheck: bool = True) -> WantedBackend:
        """The backend of a service: its admitted endpoints, in the state the operator wants.

        `recheck` says that what `serves` answers may have changed since the last time.
        """
        known = self._known.get(service.name)
        said = overrides.of(service.name)
        if known and not recheck and known[0] is service and known[1] == said:
            return known[3]
        profile, definitions = self._definitions(service)
        admitted = frozenset(
            e.id
            for e in service.endpoints
            if e.state is EndpointState.READY and e.role != "standby" and serves(service, e, definitions[e.id])
        )
        if known and known[0] is service and known[1] == said and known[2] == admitted:
            return known[3]
        servers = {}
        for endpoint in service.endpoints:
            if endpoint.id in admitted:
                server = definitions[endpoint.id]
                weight = overrides.weight(service.name, endpoint.id)
                if weight is not None and weight != server.weight:
                    server = Server(server.name, server.address, server.port, server.options, weight)
                admin = overrides.admin(service.name, endpoint.id)
                servers[server.name] = WantedServer(server, admin, endpoint.id, endpoint.reason or "discovered")
        if profile.hold and not any(e.backup and e.id in admitted for e in service.endpoints):
            servers[hold.NOBODY.name] = WantedServer(hold.NOBODY, "ready", "", "requests wait while nobody else is up")
        slots = slots_of(service, self.caps, self.own)
        if known and known[3].slots and not slots and service.endpoints and not admitted:
            slots = known[3].slots  # HAProxy goes on looking for them until one of ours may serve
        raw, static = raw_lines.backend_of(service, self.own, self.caps), self._refused(service, servers)
        if static:
            profile = replace(profile, dynamic=False)
        backend = WantedBackend(
            service.name, profile, servers, self._routes(service), self._data(service), slots, raw, static
        )
        if known and known[3] == backend:
            backend = known[3]
        self._known[service.name] = (service, said, admitted, backend)
        return backend

    def declare(self, service: Service, why: str) -> bool:
        """Take no servers of this service at runtime any more: HAProxy refused one. False if that is known already."""
        if service.raw is None or self._static.get(service.name, (None, ""))[0] == service.raw:
            return False
        self._static[service.name] = service.raw, why
        self._known.pop(service.name, None)
        return True

    def forget(self, names: Iterable[str]) -> None:
        """Drop the memory of services that are gone."""
        for name in names:
            self._known.pop(name, None)
            self._servers.pop(name, None)

    def _definitions(self, service: Service) -> tuple[Profile, dict[str, Server]]:
        known = self._servers.get(service.name)
        if known and known[0] is service:
            return known[1], known[2]
        alike = known and (known[0].mode, known[0].policy, known[0].raw) == (service.mode, service.policy, service.raw)
        before = {e.id: e for e in known[0].endpoints} if known and alike else {}
        old = known[2] if known else {}
        servers = {
            e.id: old[e.id] if before.get(e.id) is e else server_of(service, e, self.caps, self.own)
            for e in service.endpoints
        }
        same = known and alike and (known[0].routes, known[0].template) == (service.routes, service.template)
        profile = known[1] if known and same else profile_of(service, self.caps, self.paths, self.own)
        self._servers[service.name] = (service, profile, servers)
        return profile, servers

    def _routes(self, service: Service) -> tuple[tuple[str, str], ...]:
        """The keys that lead there. A frontend that is all its own needs none."""
        routes = [route for route in service.routes if service.raw is None or not route.listen]
        return tuple((_map(route, service, self.paths), map_key(route, service.mode)) for route in routes)

    def _refused(self, service: Service, servers: Mapping[str, WantedServer]) -> str:
        """Why HAProxy takes no servers of a declared backend at runtime; "" if it does."""
        if service.raw is None:
            return ""
        raw, why = self._static.get(service.name, (None, ""))
        if raw == service.raw:
            return why
        if all(raw_lines.at_runtime(each.server.options) for each in servers.values()):
            return ""
        return "quotes and backslashes cannot be told to it"

    def _data(self, service: Service) -> tuple[tuple[str, str], ...]:
        check = service.policy.check
        entries = [(self.paths.service_map, service.name)]
        if check.kind == "http":
            entries.append((self.paths.check_path_map, check.path))
            if check.host:
                entries.append((self.paths.check_host_map, check.host))
        return tuple(entries)


def own_frontends(services: Iterable[Service], paths: Paths, taken: Mapping[str, str]) -> tuple[Frontend, ...]:
    """The frontends that services ask for with `listen` and `tcp`. `taken` are addresses that cannot be had."""
    frontends: dict[str, Frontend] = {}
    for service in services:
        for route in service.routes:
            name = frontend_of(route, service.mode)
            if name and name not in frontends and route.listen not in taken:
                raw = raw_lines.frontend_of(service)
                path = "" if raw else _map(route, service, paths)
                frontends[name] = Frontend(name, service.mode, (Bind(route.listen),), path, raw)
    return tuple(frontends[name] for name in sorted(frontends))


def _map(route: Route, service: Service, paths: Paths) -> str:
    return paths.tcp_map if service.mode == "tcp" else paths.route_map(frontend_of(route, service.mode))
