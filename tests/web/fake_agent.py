"""An agent that only remembers: it answers like the real one and changes its status when it is told to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from longshore.agent.metrics import Metrics
from longshore.agent.report import (
    AdminState,
    Changed,
    Drift,
    EndpointStatus,
    Event,
    HaproxyStatus,
    PlanCounters,
    Refused,
    ServiceStatus,
    ShownState,
    SourceStatus,
    Status,
    Thawed,
)
from longshore.core.explain import Explanation, Known, explain
from longshore.core.model import Endpoint, EndpointState, Problem, Route, Service
from longshore.core.render import Bind, Frontend

SHOP = ServiceStatus(
    name="shop-web",
    mode="http",
    routes=(Route(host="shop.localhost"), Route(host="shop.localhost", path="/api", exact=True)),
    backend="s:shop-web:12345678",
    sources=("docker",),
    endpoints=(
        EndpointStatus("aaaaaaaaaaaa:80", "shop-web-1", "172.18.0.2", 80, "up", "network shop_default", 10.0, 11.0),
        EndpointStatus("bbbbbbbbbbbb:80", "shop-web-2", "172.18.0.3", 80, "checking", "connection refused", 12.0),
    ),
)
SERVICES = (
    Service(
        "shop-web",
        routes=SHOP.routes,
        endpoints=(
            Endpoint("aaaaaaaaaaaa:80", "shop-web-1", "172.18.0.2", 80, reason="network shop_default"),
            Endpoint("bbbbbbbbbbbb:80", "shop-web-2", "172.18.0.3", 80, state=EndpointState.WAITING),
        ),
    ),
)
FRONTEND = Frontend("http", "http", (Bind(":80"),), "/state/haproxy/maps/routes.map")
STATUS = Status(
    version="1.2.3",
    started=1.0,
    ready=True,
    haproxy=HaproxyStatus("3.4.1", 42, "managed", "running", 2.0, 1, 3.0, "new address :8080", (":80",)),
    sources=(SourceStatus("docker", "docker", "stale", "the engine does not answer", 4.0, 1, 2),),
    services=(SHOP,),
    problems=(
        Problem("container shop-db-1", 'label longshore.wieght: unknown key; did you mean "weight"?', "mend it"),
    ),
    plans=PlanCounters(7, 20, 1, 0),
    pending=("reload: new address :9090",),
    seq=1,
)


class FakeAgent:
    """Keeps a status; `asked` lists what it was asked to do."""

    def __init__(self, status: Status = STATUS) -> None:
        self._status = status
        self._events: list[Event] = [Event(1, 5.0, "endpoint shop-web-1 up", "it answered", "shop-web")]
        self._changed = asyncio.Condition()
        self._metrics = Metrics(self.status)
        self.asked: list[tuple[object, ...]] = []
        self.broken = False
        self.waiting = 0  # somebody waits for a change after this

    def status(self) -> Status:
        return self._status

    def problems(self) -> tuple[Problem, ...]:
        return self._status.problems

    def explain(self, url: str) -> Explanation:
        if self.broken:
            raise RuntimeError("secret details")
        if url == "nonsense":
            raise Refused("'nonsense' is no URL", "like http://a.test/")
        known = Known(SERVICES, (FRONTEND,), problems=self._status.problems)
        return explain(url, known)

    def events(self, after: int = 0) -> tuple[Event, ...]:
        return tuple(event for event in self._events if event.seq > after)

    def metrics(self) -> bytes:
        return self._metrics.text()

    async def next_change(self, seq: int) -> int:
        async with self._changed:
            self.waiting = seq
            await self._changed.wait_for(lambda: self._status.seq > seq)
            return self._status.seq

    async def set_admin(self, service: str, endpoint: str | None, state: AdminState) -> Changed:
        found = self._status.service(service)
        if found is None:
            raise Refused(f"no service {service}", "services: shop-web", unknown=True)
        self.asked.append((state, service, endpoint))
        return Changed(service, tuple(e.name for e in found.endpoints), f"{service} is in {state}")

    async def set_weight(self, service: str, endpoint: str | None, weight: int | None) -> Changed:
        if weight == 13:
            raise Refused("not 13", "another number")
        self.asked.append(("weight", service, endpoint, weight))
        return Changed(service, (), f"weight {weight}")

    async def thaw(self, source: str) -> Thawed:
        if source == "docker":
            raise Refused("source docker is not frozen", "all that it serves is registered")
        self.asked.append(("thaw", source))
        return Thawed(source, 3, f"source {source} thawed")

    async def reload(self, reason: str) -> str:
        self.asked.append(("reload", reason))
        return "reloaded"

    async def mend(self) -> tuple[Drift, ...]:
        self.asked.append(("mend",))
        return (Drift("server web-1 of s:shop-web: weight 1 instead of 100", True, "weight set"),)

    async def change(self, status: Status) -> None:
        """Show another status from now on."""
        async with self._changed:
            self._status = replace(status, seq=self._status.seq + 1)
            self._changed.notify_all()

    async def put(self, name: str, state: ShownState, service: str = "shop-web") -> None:
        """Put one endpoint into a state."""
        services = tuple(
            replace(s, endpoints=tuple(replace(e, state=state) if e.name == name else e for e in s.endpoints))
            for s in self._status.services
        )
        await self.change(replace(self._status, services=services))

    async def say(self, what: str) -> None:
        """Add an entry to the journal."""
        self._events.append(Event(len(self._events) + 1, 6.0, what))
        await self.change(self._status)
