"""The agent as people and programs meet it: `status`, `explain`, `drain` and the rest, answered for one balancer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from longshore import __version__
from longshore.agent import shown, shown_slots
from longshore.agent.balancer import Balancer
from longshore.agent.file_output import FileOutput
from longshore.agent.register_beside import Beside
from longshore.agent.report import (
    AdminState,
    Changed,
    Drift,
    Event,
    HaproxyStatus,
    PlanCounters,
    Refused,
    Status,
    Thawed,
)
from longshore.agent.toggles import Toggles
from longshore.clients.haproxy_faults import HAProxyError
from longshore.core.explain import Explanation, Known, Seen, explain
from longshore.core.model import Endpoint, EndpointState, Problem, Service
from longshore.sources.registered import Gate

PATIENCE = 10.0  # seconds that an operator waits for HAProxy


class Answers:
    """Implements `report.Agent` for one balancer. `reread` reads the configuration again and says what it did."""

    def __init__(
        self, balancer: Balancer, types: Callable[[], dict[str, str]], reread: Callable[[str], Awaitable[str]]
    ) -> None:
        self._balancer = balancer
        self._types = types
        self._reread = reread
        self.registrar: Beside | None = None
        self.at_start: tuple[Problem, ...] = ()  # of the start, such as a state file of no use
        self.reached: Callable[[], tuple[Problem, ...]] = tuple  # of the API's own address
        self.waited: Callable[[], tuple[str, ...]] = tuple  # what that address waits for
        self.certificates: tuple[Problem, ...] = ()
        self.outputs: FileOutput | None = None
        self.toggles: Toggles | None = None
        self.configuration: tuple[Problem, ...] = ()  # of the last reading of the configuration
        self.configured: Collection[str] = ()  # the services of the configuration …
        self.left_out: Collection[str] = ()  # … and those that are wrong in it, and that no version of is served
        self.gates: Mapping[str, Gate] = {}  # of the sources that are registries

    def status(self) -> Status:
        """The present state; cheap, no I/O."""
        b = self._balancer
        view = self._view()
        services = view.services(b.wanting.known.values())
        counters = b.driver.counters
        return Status(
            version=__version__,
            mode="managed" if b.driver.process.managed else "attached",
            started=b.started,
            ready=b.ready,
            unserved=tuple(sorted({*self.left_out, *b.wanting.quarantine.unserved.intersection(self.configured)})),
            waits_for=b.waits_for,
            haproxy=self.haproxy(),
            registrar=self.registrar.status() if self.registrar else None,
            sources=shown.sources(b.desired.snapshots, self._types(), b.desired.since, self._kept()),
            services=services,
            problems=self.problems(),
            plans=PlanCounters(counters.plans, counters.steps, counters.refused, counters.drift),
            pending=(
                *((f"HAProxy is reloaded: {b.driver.reloading}",) if b.driver.reloading else ()),
                *self.waited(),
                *(
                    f"listening on {each.address}: when {each.until or 'everything is ready'}"
                    for each in b.sharing.addresses.values()
                    if each.state == "waiting"
                ),
            ),
            seq=b.journal.seq,
        )

    def explain(self, url: str) -> Explanation:
        """Where a request for this URL would go, and why."""
        try:
            return explain(url, self._known())
        except ValueError as error:
            raise Refused(str(error), "an example: longshore explain http://shop.example.com/cart") from None

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """The journal's entries after a number."""
        return self._balancer.journal.after(after)

    def metrics(self) -> bytes:
        """The metrics in the text format of Prometheus."""
        return self._balancer.setup.meter.text()

    async def next_change(self, seq: int) -> int:
        """Wait until something has changed."""
        return await self._balancer.journal.next_change(seq)

    async def set_admin(self, service: str, endpoint: str | None, state: AdminState) -> Changed:
        """Take an endpoint or all of a service out of rotation, or back in."""
        found, endpoints = self._find(service, endpoint)
        desired = self._balancer.desired
        now = time.time()
        if endpoint is None:
            desired.overrides = desired.overrides.with_admin(service, "", state, now)
        for each in endpoints if endpoint is not None else ():
            desired.overrides = desired.overrides.with_admin(service, each.id, state, now)
        names = tuple(e.name for e in endpoints)
        what = f"{'all of ' + found.name if endpoint is None else ', '.join(names)}: {state}"
        await self._do(what, found.name)
        return Changed(found.name, names, what)

    async def set_weight(self, service: str, endpoint: str | None, weight: int | None) -> Changed:
        """Set a weight, or take the operator's weight back."""
        found, endpoints = self._find(service, endpoint)
        desired = self._balancer.desired
        for target in [""] if endpoint is None else [e.id for e in endpoints]:
            desired.overrides = desired.overrides.with_weight(service, target, weight, time.time())
        names = tuple(e.name for e in endpoints)
        said = "its own weight again" if weight is None else f"weight {weight}"
        what = f"{'all of ' + found.name if endpoint is None else ', '.join(names)}: {said}"
        await self._do(what, found.name)
        return Changed(found.name, names, what)

    async def thaw(self, source: str) -> Thawed:
        """Accept that the endpoints are gone that a frozen source keeps."""
        types = self._types()
        if source not in types:
            raise Refused(f"there is no source {source}", f"known sources: {', '.join(types) or 'none'}", unknown=True)
        if source not in self.gates:
            hint = f"known registries: {', '.join(self.gates) or 'none'}"
            raise Refused(f"source {source} ({types[source]}) is no registry: it never freezes", hint)
        count = self.gates[source].thaw()
        if not count:
            raise Refused(f"source {source} is not frozen", "all that it serves is registered")
        endpoints = f"{count} endpoint{'' if count == 1 else 's'}"
        what = f"source {source} thawed: {endpoints} that vanished from the registry together"
        await self._do(what, "")
        return Thawed(source, count, f"{what} {'is' if count == 1 else 'are'} served no more")

    async def reload(self, reason: str) -> str:
        """Read the configuration again and reload HAProxy."""
        return await self._reread(reason)

    async def mend(self) -> tuple[Drift, ...]:
        """Compare HAProxy with what it should run, mend it, and look again."""
        b = self._balancer
        try:
            found = await b.driver.drift()
            if not found:
                return ()
            b.poke(recheck=True)
            await asyncio.wait_for(b.settled(), PATIENCE)
            left = await b.driver.drift()
        except TimeoutError:
            raise Refused(
                f"HAProxy is not as it should be after {PATIENCE:g} s", "`longshore status` says why"
            ) from None
        except HAProxyError as error:
            raise Refused(error.what, error.hint) from None
        if left:
            b.poke(recheck=True)
        for what in found:
            b.journal.add("drift not mended" if what in left else "drift mended", what)
        again = "it was so again at once: somebody else changes it too"
        return tuple(Drift(what, what not in left, again if what in left else "set right again") for what in found)

    async def _do(self, what: str, service: str) -> None:
        """See that an operator's word is in force, and on disk: it outlives a crash from here on."""
        self._balancer.journal.add(what, "an operator said so", service)
        try:
            await asyncio.wait_for(self._balancer.settled(), PATIENCE)
        except TimeoutError:
            hint = "it is kept and tried again; `longshore status` shows what is wrong"
            raise Refused(f"{what}: HAProxy has not taken it within {PATIENCE:g} s", hint) from None
        finally:
            self._balancer.desired.save()
            await self._balancer.desired.store.flush()

    def _kept(self) -> dict[str, int]:
        return {name: gate.kept for name, gate in self.gates.items()}

    def _find(self, service: str, endpoint: str | None) -> tuple[Service, tuple[Endpoint, ...]]:
        known = self._balancer.wanting.known
        found = known.get(service)
        if found is None:
            names = ", ".join(sorted(known)[:10]) or "none"
            raise Refused(f"there is no service {service}", f"known services: {names}", unknown=True)
        shown_slots.refuse(found)
        if endpoint is None:
            return found, found.endpoints
        live = [e for e in found.endpoints if endpoint in (e.id, e.name, f"{e.address}:{e.port}")]
        if not live:
            names = ", ".join(sorted(e.name for e in found.endpoints)) or "none"
            raise Refused(f"service {service} has no endpoint {endpoint}", f"it has: {names}", unknown=True)
        running = [e for e in live if e.state is not EndpointState.STOPPING]
        return found, tuple(running or live)

    def _known(self) -> Known:
        b = self._balancer
        services = tuple(b.wanting.known.values())
        shown_services = {each.name: each for each in self._view().services(services)}
        return Known(
            tuple(shown_slots.with_found(service, shown_services[service.name]) for service in services),
            b.driver.running.frontends if b.driver.running else b.setup.frontends,
            {
                (s.name, e.id): Seen(e.state, e.reason, e.routed_since or e.since)
                for s in shown_services.values()
                for e in s.endpoints
            },
            self.problems(),
            b.desired.remembered.kept,
        )

    def _view(self) -> shown.View:
        b = self._balancer
        return shown.View(
            b.driver.running,
            b.wanting.wanter,
            b.wanting.admission,
            b.desired.overrides,
            b.stats,
            b.routed.since,
            time.time(),
        )

    def haproxy(self) -> HaproxyStatus:
        """The HAProxy that serves for us."""
        b = self._balancer
        last = b.driver.counters.last_reload
        running = b.driver.running
        return HaproxyStatus(
            version=b.driver.caps.version,
            pid=b.driver.process.runtime().pid,
            mode="managed" if b.driver.process.managed else "attached",
            state="running" if running else "starting",
            started=b.haproxy_started,
            reloads=b.driver.counters.reloads,
            last_reload=b.driver.counters.last_reload_at,
            last_reload_reason=last.reason if last else "",
            addresses=tuple(bind.address for f in (running.frontends if running else ()) for bind in f.binds),
            shared=tuple(b.sharing.addresses.values()),
        )

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now; a part of the status that is cheap however many endpoints there are."""
        b = self._balancer
        found = [
            *self.at_start,
            *self.reached(),
            *self.certificates,
            *self.configuration,
            *((b.desired.store.problem,) if b.desired.store.problem else ()),
            *((b.trouble,) if b.trouble else ()),
            *(self.toggles.problems if self.toggles else ()),
            *((self.outputs.problem,) if self.outputs and self.outputs.problem else ()),
            *b.desired.problems,
            *b.wanting.broken.values(),
            *b.wanting.quarantine.problems,
            *b.wanting.kept.problems,
            *b.wanting.lines.problems,
            *b.wanting.ports.problems(b.wanting.known.values(), b.setup.frontends),
            *b.sharing.problems(b.wanting.known),
            *b.wanting.admission.problems,
            *(self.registrar.problems() if self.registrar else ()),
        ]
        return tuple(dict.fromkeys(found))
