"""Which endpoints get traffic since when: for the journal, and for the metrics as the time since the event."""

from __future__ import annotations

import time
from collections.abc import Mapping

from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.core import hold, steps
from longshore.core.model import Service
from longshore.core.running import Running
from longshore.core.wanted import Wanter


class Routed:
    """Follows the steps that HAProxy took. `since` maps "service/server name" to Unix seconds."""

    def __init__(self, journal: Journal, meter: Metrics) -> None:
        self.since: dict[str, float] = {}
        self._journal = journal
        self._meter = meter
        self._running: Running | None = None  # of which all servers are noted

    def note(
        self, done: tuple[steps.RuntimeStep, ...], running: Running, services: Mapping[str, Service], wanter: Wanter
    ) -> None:
        """Note what a plan put in and took out."""
        now = time.time()
        for step in done:
            if isinstance(step, steps.AddServer):
                self._is_in(step.backend, step.server.name, running, services, wanter, now)
            elif isinstance(step, steps.SetAdmin) and step.admin == "ready" and self._was_out(step, running):
                self._is_in(step.backend, step.server, running, services, wanter, now)
            elif isinstance(step, steps.Retire) and step.server != hold.NOBODY.name:
                service = running.placed.get(step.backend, "")
                if self.since.pop(f"{service}/{step.server}", None) is not None:
                    self._journal.add(f"endpoint {step.server.rpartition('.')[0]} out", step.why, service)

    def all_in(self, running: Running) -> None:
        """Note servers that were in already: after an adoption or a reload, which begin a new mirror."""
        if running is self._running:
            return
        self._running = running
        now = time.time()
        for backend, service in running.placed.items():
            for server in running.backends[backend].servers:
                self.since.setdefault(f"{service}/{server}", now)

    def _was_out(self, step: steps.SetAdmin, running: Running) -> bool:
        """Whether the source had taken it out; what an operator takes out and in is no news of the source."""
        return f"{running.placed.get(step.backend, '')}/{step.server}" not in self.since

    def _is_in(
        self,
        backend: str,
        server: str,
        running: Running,
        services: Mapping[str, Service],
        wanter: Wanter,
        now: float,
    ) -> None:
        service = services.get(running.placed.get(backend, ""))
        if service is None:
            return
        self.since[f"{service.name}/{server}"] = now
        servers = wanter.servers(service)
        endpoint = next((e for e in service.endpoints if servers[e.id].name == server), None)
        if endpoint is not None:
            self._journal.add(f"endpoint {endpoint.name} in", endpoint.reason, service.name)
            if endpoint.since:
                self._meter.routed(now - endpoint.since)
