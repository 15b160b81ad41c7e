"""Who of a service comes first, as far as that depends on what is up now: feeds `core.prefer` with what the agent sees.

    Desired ─▶ Quarantine ─▶ Choice ─▶ Admission, Wanter
                               ▲──── first checks, HAProxy's checks, operator

A service that asks for none of it passes as the identical object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from longshore.agent.checks import key_of
from longshore.agent.prober import Prober
from longshore.core.model import Endpoint, Service
from longshore.core.overrides import Overrides
from longshore.core.prefer import Chooser, Health, Here, concerned
from longshore.core.running import Running
from longshore.core.server import Server
from longshore.core.wanted import Wanter
from longshore.haproxy.observe import ServerStat

Stats = Mapping[tuple[str, str], ServerStat]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the agent sees of the endpoints."""

    running: Running | None
    stats: Stats
    overrides: Overrides
    prober: Prober


@dataclass(slots=True)
class Choice:
    """Gives the endpoints of services their roles, again when something has changed that matters to them."""

    here: Here
    _chooser: Chooser = field(init=False)
    _plain: Wanter | None = None  # servers of services as the sources know them: without roles
    _asking: dict[str, Service] = field(default_factory=dict)  # services that ask for a choice, as they came in
    _seen: tuple[object, ...] = ()
    _down: frozenset[tuple[str, str]] = frozenset()
    _stats: Stats | None = None

    def __post_init__(self) -> None:
        self._chooser = Chooser(self.here)

    def take(self, changed: Iterable[Service], gone: Iterable[str]) -> None:
        """Take which services are other than before, or gone."""
        for name in gone:
            self._forget(name)
        for service in changed:
            if concerned(service):
                self._asking[service.name] = service
            elif self._asking:
                self._forget(service.name)

    def chosen(
        self, changed: Iterable[Service], sight: Sight, wanter: Wanter, touched: Collection[str], *, again: bool
    ) -> dict[str, Service]:
        """Every service that may have to be served otherwise than before, with its choice.

        `touched` are those of which an endpoint answered its first check; `again`: look at all.
        """
        found = {service.name: service for service in changed}
        if self._asking:
            again = self._look(sight, wanter) or again
            names = self._asking.keys() if again else self._asking.keys() & {*found, *touched}
            found |= {name: self._choose(self._asking[name], sight) for name in names}
        return found

    def moved(self, names: Iterable[str], sight: Sight, known: Mapping[str, Service]) -> set[str]:
        """Which of these services would be chosen otherwise now: endpoints of theirs have just been asked."""
        asked = [self._asking[name] for name in names if name in self._asking]
        return {service.name for service in asked if self._choose(service, sight) is not known.get(service.name)}

    def _look(self, sight: Sight, wanter: Wanter) -> bool:
        """Note what is seen; True if it is other than last time."""
        if self._plain is None or self._plain.caps is not wanter.caps:
            self._plain = Wanter(wanter.caps, wanter.paths, wanter.own)
        if sight.stats is not self._stats:
            self._stats = sight.stats
            down = frozenset(key for key, stat in sight.stats.items() if stat.status.startswith("DOWN"))
            self._down = self._down if down == self._down else down
        before, self._seen = self._seen, (sight.running, sight.overrides, self._down)
        return len(before) != len(self._seen) or any(a is not b for a, b in zip(before, self._seen, strict=True))

    def _forget(self, name: str) -> None:
        if self._asking.pop(name, None):
            self._chooser.forget(name)

    def _choose(self, service: Service, sight: Sight) -> Service:
        assert self._plain is not None
        try:
            servers = self._plain.servers(service)
        except ValueError:  # said when its real servers are made
            return service

        def health(endpoint: Endpoint) -> Health:
            return self._health(service, endpoint, servers[endpoint.id], sight)

        return self._chooser.choose(service, health)

    def _health(self, service: Service, endpoint: Endpoint, server: Server, sight: Sight) -> Health:
        there = sight.running.places_of(service.name, server) if sight.running else []
        if not there and key_of(service, server) not in sight.prober.admitted:
            return "unknown"
        if sight.overrides.admin(service.name, endpoint.id) != "ready":
            return "down"
        return "down" if there and self._down.issuperset(there) else "up"
