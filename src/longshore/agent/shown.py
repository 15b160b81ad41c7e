"""The agent's state as `status` shows it: what the sources say, HAProxy says and an operator said, in one word each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from longshore.agent import shown_slots
from longshore.agent.checks import Admission
from longshore.agent.report import EndpointStatus, ServiceStatus, ShownState, SourceStatus
from longshore.core.model import Endpoint, EndpointState, Service, Snapshot
from longshore.core.overrides import Overrides
from longshore.core.running import Running, RunningServer
from longshore.core.server import Server
from longshore.core.wanted import Wanter
from longshore.haproxy.observe import ServerStat


@dataclass(slots=True)
class View:
    """Everything that a status is made from."""

    running: Running | None
    wanter: Wanter
    admission: Admission
    overrides: Overrides
    stats: Mapping[tuple[str, str], ServerStat]
    routed: Mapping[str, float]  # "service/server name" -> when it could first get traffic
    now: float
    refused: Mapping[str, str] = field(default_factory=dict)  # "backend/server" -> HAProxy's words

    def services(self, services: Iterable[Service]) -> tuple[ServiceStatus, ...]:
        """Each service with all its endpoints, in the order of their names."""
        return tuple(self.service(service) for service in sorted(services, key=lambda s: s.name))

    def service(self, service: Service) -> ServiceStatus:
        """One service."""
        servers = self.wanter.servers(service)
        homes = sorted(self.running.homes.get(service.name, ())) if self.running else []
        backend = next((h for h in homes if self.running and h in self.running.synced), homes[0] if homes else "")
        return ServiceStatus(
            service.name,
            service.mode,
            service.routes,
            backend,
            service.policy.balance,
            service.sources,
            (
                *(self._endpoint(service, e, servers[e.id], backend) for e in service.endpoints),
                *shown_slots.found(service, backend, self.stats, self.now),
            ),
        )

    def _endpoint(self, service: Service, endpoint: Endpoint, server: Server, backend: str) -> EndpointStatus:
        there = None
        if self.running and backend in self.running.backends:
            there = self.running.backends[backend].servers.get(server.name)
        stat = self.stats.get((backend, server.name)) if there else None
        weight_said = self.overrides.weight(service.name, endpoint.id)
        weight = endpoint.weight if weight_said is None else weight_said
        state, reason, since = self._state(service, endpoint, server, there, stat, weight)
        routed = (
            self.routed.get(f"{service.name}/{server.name}", 0.0) if state in ("up", "down", "drain", "off") else 0.0
        )
        return EndpointStatus(
            endpoint.id,
            endpoint.name,
            endpoint.address,
            endpoint.port,
            state,
            reason,
            since,
            routed,
            weight,
            weight_said is not None,
            stat.sessions if stat else None,
            endpoint.backup,
            endpoint.host,
            endpoint.zone,
            endpoint.role,
        )

    def _state(
        self,
        service: Service,
        endpoint: Endpoint,
        server: Server,
        there: RunningServer | None,
        stat: ServerStat | None,
        weight: int,
    ) -> tuple[ShownState, str, float]:
        if endpoint.state is not EndpointState.READY:
            word: ShownState = "stopping" if endpoint.state is EndpointState.STOPPING else "waiting"
            return word, endpoint.reason, endpoint.since
        admin = self.overrides.admin(service.name, endpoint.id)
        if admin != "ready":
            said = self.overrides.said.get((service.name, endpoint.id)) or self.overrides.said.get((service.name, ""))
            return admin, "an operator said so; `longshore ready` takes it back", said.since if said else 0.0
        if endpoint.role == "standby":
            return "standby", self.admission.waits(service, server) or endpoint.reason, endpoint.since
        if there is None or there.admin == "maint":
            waits = self.admission.waits(service, server)
            return "checking", waits or "about to be routed", endpoint.since
        if stat and stat.status.startswith("DOWN"):
            return "down", f"HAProxy's check fails: {stat.check}", self.now - stat.changed
        if weight == 0:
            return "off", "weight 0", endpoint.since
        return "up", endpoint.reason, endpoint.since


def sources(
    snapshots: Mapping[str, Snapshot | None],
    types: Mapping[str, str],
    since: Mapping[str, float],
    kept: Mapping[str, int],
) -> tuple[SourceStatus, ...]:
    """Each source and whether it can be trusted; `kept` counts the endpoints that frozen ones keep."""
    found = []
    for name, snapshot in snapshots.items():
        if snapshot is None:
            found.append(SourceStatus(name, types[name], "starting", "has not answered yet"))
            continue
        found.append(
            SourceStatus(
                name,
                types[name],
                "stale" if snapshot.stale else "current",
                snapshot.stale,
                since.get(name, 0.0),
                len(snapshot.services),
                sum(len(service.endpoints) for service in snapshot.services),
                kept.get(name, 0),
            )
        )
    return tuple(found)
