"""From the services to what HAProxy should run: set aside, chosen, asked a first check, turned into backends.

    Desired ─▶ Quarantine ─▶ Choice ─▶ Admission ─▶ Wanter ─▶ Wanted

Each round looks only at the services that are other objects than last time, and at those of which something else is
news: an endpoint answered, an operator spoke, what runs may have changed. All others stay as they were worked out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeGuard

from longshore.agent.checks import Admission
from longshore.agent.choice import Choice, Sight, Stats
from longshore.agent.connect import Setup
from longshore.agent.desired import Desired
from longshore.agent.driver import Driver
from longshore.agent.ports import Ports
from longshore.core import steps
from longshore.core.blame import Complaint, blame
from longshore.core.differing import exchanged
from longshore.core.kept_backends import KeptBackends, known_backends, without_kept
from longshore.core.model import Problem, Service
from longshore.core.overrides import Overrides
from longshore.core.quarantine import LineGate, Quarantine, suspects
from longshore.core.raw import Line
from longshore.core.raw_addresses import addresses
from longshore.core.unmet import unmet
from longshore.core.wanted import Wanted, WantedBackend, Wanter, own_frontends
from longshore.haproxy.apply import Refusal


class Wanting:
    """Works out what is wanted, round after round. `poke` asks for another round."""

    def __init__(self, setup: Setup, driver: Driver, desired: Desired, poke: Callable[[], None]) -> None:
        self.wanter = Wanter(driver.caps, driver.paths, setup.process.raw.defaults)
        self.lines = LineGate()
        self.admission = Admission(self._answered)
        self.ports = Ports(setup.busy)
        self.quarantine = Quarantine()
        self.kept = KeptBackends()
        self.known: dict[str, Service] = {}  # the services as they are served, by name
        self.broken: dict[str, Problem] = {}  # services that cannot be turned into a backend, or not quite
        self.recheck = True  # whether what HAProxy runs may not be what we left there
        self._driver = driver
        self._desired = desired
        self._poke = poke
        self._choice = Choice(setup.here)
        self._touched: set[str] = set()  # services of which an endpoint answered its first check
        self._given: tuple[Service, ...] = ()  # the services of the last round, without their choices
        self._untaken: dict[str, Service] = {}  # those that changed since HAProxy last took everything
        self._overrides: Overrides | None = None
        self._backends: dict[str, WantedBackend] = {}
        self._listening: dict[str, Service] = {}  # services with addresses of their own

    def wanted(self, setup: Setup, stats: Stats) -> Wanted:
        """What HAProxy should run now; a service that cannot be had is left out and said."""
        process = replace(setup.process, raw=self.lines.admit(setup.process.raw))
        if self.wanter.own != process.raw.defaults:
            self._renew(process.raw.defaults)
        admitted = self.quarantine.admit(self._desired.services(), setup.process.raw)
        changed, gone = self._difference(self.kept.admit(admitted, process.raw))
        if self._choice.here != setup.here:
            self._choice, changed = Choice(setup.here), list(self._given)
        overrides, running = self._desired.overrides, self._driver.running
        everything = self.recheck or overrides is not self._overrides
        self.recheck, self._overrides = False, overrides
        touched, self._touched = self._touched, set()
        sight = Sight(running, stats, overrides, self.admission.prober)
        self._choice.take(changed, gone)
        chosen = self._choice.chosen(changed, sight, self.wanter, touched, again=everything)
        look = {name: service for name, service in chosen.items() if self.known.get(name) is not service}
        self.known.update(look)
        look |= {name: self.known[name] for name in (self.known if everything else touched & self.known.keys())}
        self._work_out(look.values(), gone, sight)
        ours = running.addresses if running else frozenset()
        ask = setup.frontends if running or setup.share else ()  # at the start, a busy one of these is the end
        listening = self._listening.values()
        own = addresses(process.raw) if setup.share else ()
        taken = self.ports.look(listening, ask, ours, time.monotonic(), own=own, starting=running is None)
        process = replace(process, raw=self.ports.joined(process.raw))
        frontends = (*self.ports.free(setup.frontends), *own_frontends(listening, self._driver.paths, taken))
        return Wanted(process, frontends, dict(self._backends))

    def taken(self, wanted: Wanted) -> bool:
        """HAProxy took what was wanted. True if a service that was set aside is to be tried now."""
        self.lines.taken(wanted.process.raw)
        trying = self.quarantine.taken(without_kept(self._untaken.values()))
        self._untaken.clear()
        return trying

    def judge_again(self) -> None:
        """Give HAProxy everything again that it refused."""
        for each in (self.lines, self.quarantine, self.kept):
            each.judge_again()

    def adopted(self) -> None:
        """A HAProxy that ran already was taken over: it may be of another version."""
        self._renew(self.wanter.own)

    def refused(self, complaints: Iterable[Complaint], why: str, wanted: Wanted) -> bool:
        """HAProxy refused what was wanted. True if there is something else to give it now."""
        running, services = self._driver.running, without_kept(self.known.values())
        complaints = tuple(complaints)
        missing = known_backends(running, self._desired.services(), wanted)
        if self.kept.refused(complaints, missing, wanted, services):
            return True
        found = blame(complaints, wanted, services)
        lines = self.lines.refused(wanted.process.raw, running.process.raw if running else None, found.process)
        if found.process and not lines:
            return False
        blamed = self.quarantine.blame(services, found.services)
        return lines or blamed or self.quarantine.refused(suspects(services, wanted, running), why)

    def declared(self, refusals: Iterable[Refusal]) -> list[Problem]:
        """HAProxy refused servers at runtime: those of services with lines of their own come by reload from now on.

        Answers with what is to be told of it.
        """
        told = []
        running = self._driver.running
        for refusal in refusals:
            step = refusal.step
            service = self.known.get(running.placed.get(step.backend, "")) if _adds(step) and running else None
            if service is not None and self.wanter.declare(service, refusal.answer.strip()):
                what = f"service {service.name}: HAProxy takes no such servers at runtime, they come by reload"
                told.append(Problem(what, refusal.answer.strip(), service=service.name))
        return told

    def _renew(self, own: tuple[Line, ...]) -> None:
        self.wanter = Wanter(self._driver.caps, self._driver.paths, own)
        self.recheck = True

    def _difference(self, services: tuple[Service, ...]) -> tuple[list[Service], list[str]]:
        """Which services are other than last time, and which are gone."""
        before, self._given = self._given, services
        gone: list[str] = []
        changed = exchanged(before, services)
        if changed is None:
            old, new = ({service.name: service for service in each} for each in (before, services))
            changed = [service for name, service in new.items() if old.get(name) is not service]
            gone = sorted(old.keys() - new.keys())
        self._untaken.update((service.name, service) for service in changed)
        for name in gone:
            for memory in (self.known, self._untaken):
                memory.pop(name, None)
        self.quarantine.forget(gone)
        return changed, gone

    def _work_out(self, services: Iterable[Service], gone: list[str], sight: Sight) -> None:
        """Bring the backends up to date with these services."""
        good = []
        without = list(gone)
        for service in services:
            try:
                self.wanter.servers(service)
                good.append(service)
                self.broken.pop(service.name, None)
            except ValueError as error:
                without.append(service.name)
                self._broke(service, error)
        for name in without:
            for memory in (self._backends, self._listening):
                memory.pop(name, None)
        for name in gone:
            self.broken.pop(name, None)
        self.wanter.forget(without)
        asked = self.admission.ask(good, self.wanter, sight.running, without)
        for name in self._choice.moved(asked, sight, self.known):
            self._answered(name)
        for service in good:
            try:
                self._backends[service.name] = self.wanter.backend(service, sight.overrides, self.admission.serves)
            except ValueError as error:
                self._backends.pop(service.name, None)
                self._broke(service, error)
            if problem := unmet(service, self._driver.caps, self._choice.here):
                self.broken[service.name] = problem
            if any(route.listen for route in service.routes):
                self._listening[service.name] = service
            else:
                self._listening.pop(service.name, None)

    def _broke(self, service: Service, error: ValueError) -> None:
        self.broken[service.name] = Problem(f"service {service.name}", str(error), service=service.name)

    def _answered(self, service: str) -> None:
        self._touched.add(service)
        self._poke()


def _adds(step: steps.RuntimeStep) -> TypeGuard[steps.AddServer]:
    return isinstance(step, steps.AddServer)
