"""Which endpoints may get traffic: those in HAProxy already, and those that answered our first check.

HAProxy's own checks judge a server once it is in; so an adopted HAProxy keeps all its servers, and only newcomers are
probed. What the prober is asked is worked out again only for services that changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from longshore.agent.first_check import Target
from longshore.agent.prober import Prober, Waiting
from longshore.core.model import Endpoint, EndpointState, Problem, Service
from longshore.core.places import joined
from longshore.core.running import Running
from longshore.core.server import Server
from longshore.core.wanted import Wanter

SILENCE = 10.0  # seconds without a first answer until it is a problem: until then most are just starting


class Admission:
    """Asks the prober about newcomers; `serves` answers for the planner."""

    def __init__(self, on_answer: Callable[[str], None]) -> None:
        """`on_answer` is called with the name of a service when one of its endpoints has answered."""
        self._on_answer = on_answer
        self.prober = Prober(self._answered)
        self._running: Running | None = None
        self._asked: dict[str, tuple[Service, dict[str, Target]]] = {}  # services with somebody to ask
        self._since: dict[str, float] = {}  # key -> when it was first asked
        self._overdue: dict[str, Problem] = {}

    def serves(self, service: Service, endpoint: Endpoint, server: Server) -> bool:
        """Whether an endpoint may get traffic."""
        return self._is_running(service, server) or key_of(service, server) in self.prober.admitted

    def ask(
        self, services: Iterable[Service], wanter: Wanter, running: Running | None, gone: Iterable[str] = ()
    ) -> list[str]:
        """Probe what is new among these services and not yet in HAProxy; forget those that are `gone`.

        Services of which somebody is still being asked are looked at every time: what is in HAProxy by now is not
        asked any more. Returns the names of all that were looked at.
        """
        self._running = running
        for name in gone:
            self._asked.pop(name, None)
        looked = {name: service for name, (service, _) in self._asked.items()}
        looked |= {service.name: service for service in services}
        for name, service in looked.items():
            servers = wanter.servers(service)
            targets = {
                key_of(service, servers[e.id]): Target(
                    e.address, e.port, service.policy.check, service.policy.server_tls, e.proxied
                )
                for e in service.endpoints
                if e.state is EndpointState.READY and not self._is_running(service, servers[e.id])
            }
            if targets:
                self._asked[name] = service, targets
            else:
                self._asked.pop(name, None)
        self.prober.want({key: target for _, targets in self._asked.values() for key, target in targets.items()})
        clock = time.monotonic()
        self._since = {key: self._since.get(key, clock) for key in self.prober.waiting}
        return list(looked)

    def asked(self) -> Iterator[tuple[str, str, Waiting]]:
        """The service and the address of everybody who has not answered yet."""
        for service, targets in self._asked.values() if self.prober.waiting else ():
            for key, target in targets.items():
                if waiting := self.prober.waiting.get(key):
                    yield service.name, joined(target.address, target.port), waiting

    def overdue(self, clock: float) -> bool:
        """Look who has not answered for too long; True if that has changed."""
        before = self._overdue
        self._overdue = {
            key: before.get(key) or _overdue(service, target, self.prober.waiting[key].reason)
            for service, targets in (self._asked.values() if self.prober.waiting else ())
            for key, target in targets.items()
            if key in self.prober.waiting and clock - self._since.get(key, clock) >= SILENCE
        }
        return self._overdue.keys() != before.keys()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What people must know of endpoints that do not answer. A reason that changes is in the endpoint's state."""
        return tuple(self._overdue.values())

    def waits(self, service: Service, server: Server) -> str:
        """Why an endpoint has not been admitted yet; "" if it has."""
        waiting = self.prober.waiting.get(key_of(service, server))
        return waiting.reason if waiting else ""

    def _is_running(self, service: Service, server: Server) -> bool:
        return self._running is not None and bool(self._running.places_of(service.name, server))

    def _answered(self, key: str) -> None:
        self._on_answer(key.partition("/")[0])


def key_of(service: Service, server: Server) -> str:
    """The prober's key of a server, the same as of its twin: names of services contain no slash."""
    return f"{service.name}/{server.key}"


def _overdue(service: Service, target: Target, reason: str) -> Problem:
    return Problem(
        f"service {service.name}",
        f"{joined(target.address, target.port)} has not answered its first check: {reason}",
        "Nothing is sent there until it does. Is it the right port (longshore.port), and does the program listen on "
        "all addresses (0.0.0.0)? What is asked is said by longshore.check.",
        service.name,
    )
