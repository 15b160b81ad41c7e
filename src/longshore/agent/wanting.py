"""From the services to what HAProxy should run: set aside, chosen, asked a first check, turned into backends.

Desired ─▶ Quarantine ─▶ Choice ─▶ Admission ─▶ Wanter ─▶ Wanted
"""

from __future__ import annotations

import time
from collections.abc import Callable

from longshore.agent.checks import Admission
from longshore.agent.choice import Choice, Sight, Stats
from longshore.agent.connect import Setup
from longshore.agent.desired import Desired
from longshore.agent.driver import Driver
from longshore.agent.ports import Ports
from longshore.core.model import Problem, Service
from longshore.core.prefer import Here
from longshore.core.quarantine import Quarantine
from longshore.core.unmet import unmet
from longshore.core.wanted import Wanted, WantedBackend, Wanter, own_frontends


class Wanting:
    """Works out what is wanted, round after round. `poke` asks for another round."""

    def __init__(self, setup: Setup, driver: Driver, desired: Desired, poke: Callable[[], None]) -> None:
        self.wanter = Wanter(driver.caps, driver.paths)
        self.admission = Admission(self._answered)
        self.ports = Ports(setup.busy)
        self.quarantine = Quarantine()
        self.known: dict[str, Service] = {}  # the services as they are served, by name
        self.broken: dict[str, Problem] = {}  # services that cannot be turned into a backend, or not quite
        self.recheck = True  # whether what HAProxy runs may not be what we left there
        self._driver = driver
        self._desired = desired
        self._poke = poke
        self._choice = Choice(setup.here)
        self._touched: set[str] = set()  # services of which an endpoint answered its first check

    def wanted(self, setup: Setup, stats: Stats) -> Wanted:
        """What HAProxy should run now; a service that cannot be had is left out and said."""
        recheck, self.recheck = self.recheck, False
        touched, self._touched = self._touched, set()
        overrides, running = self._desired.overrides, self._driver.running
        sight = Sight(running, stats, overrides, self.admission.prober)
        services = self._services(setup.here, sight, touched, recheck=recheck)
        backends: dict[str, WantedBackend] = {}
        broken: dict[str, Problem] = {}
        good: list[Service] = []
        for service in services:
            try:
                self.wanter.servers(service)
                good.append(service)
            except ValueError as error:
                broken[service.name] = Problem(f"service {service.name}", str(error), service=service.name)
        asked = self.admission.ask(good, self.wanter, running, again=recheck)
        if self._choice.moved(asked, sight, self.known):
            self._poke()
        for service in good:
            again = recheck or service.name in touched
            try:
                backends[service.name] = self.wanter.backend(service, overrides, self.admission.serves, recheck=again)
            except ValueError as error:
                broken[service.name] = Problem(f"service {service.name}", str(error), service=service.name)
            if problem := unmet(service, self._driver.caps, self._choice.here):
                broken[service.name] = problem
        self.broken = broken
        self.wanter.forget(backends)
        ours = running.addresses if running else frozenset()
        ask = setup.frontends if running else ()  # at the start, a busy one of these is the end
        taken = self.ports.look(good, ask, ours, time.monotonic())
        frontends = (*self.ports.free(setup.frontends), *own_frontends(good, self._driver.paths, taken))
        return Wanted(setup.process, frontends, backends)

    def adopted(self) -> None:
        """A HAProxy that ran already was taken over: it may be of another version."""
        self.wanter = Wanter(self._driver.caps, self._driver.paths)

    def _services(self, here: Here, sight: Sight, touched: set[str], *, recheck: bool) -> tuple[Service, ...]:
        desired = self._desired.services()
        self.quarantine.forget(self.known.keys() - {service.name for service in desired})
        if self._choice.here != here:
            self._choice = Choice(here)
        services = self.quarantine.admit(desired)
        services = self._choice.services(services, sight, self.wanter, touched, again=recheck)
        self.known = {service.name: service for service in services}
        return services

    def _answered(self, service: str) -> None:
        self._touched.add(service)
        self._poke()
