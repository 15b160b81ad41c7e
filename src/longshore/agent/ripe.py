"""What a balancer waits for before it is ready, and what would be lost if it took a port over from another HAProxy now.

Who asks a port that is taken over finds all that can be found: every source has told what there is, now or before a
restart; who has not answered its first check has had its chance; and HAProxy had time to search what it finds itself.
An address at which there would be nobody even then stays with the other one, which may well have somebody: see
`barren`. But a service that was served without endpoints before a restart, or by the longshore whose state was handed
on, is served so again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from longshore.agent import shown_slots
from longshore.agent.choice import Stats
from longshore.agent.desired import EMPTY, Desired
from longshore.agent.driver import Driver
from longshore.agent.prober import Waiting
from longshore.agent.wanting import Wanting
from longshore.core.frontend import Frontend
from longshore.core.model import Service, Snapshot
from longshore.core.wanted import Wanted

TRIES = 3  # first checks that failed: this endpoint may take long, it is not waited for
SEARCH = 10.0  # seconds that HAProxy has to find endpoints by DNS


def unheard(snapshots: Mapping[str, Snapshot | None]) -> Iterator[str]:
    """The sources that have not said anything since the start."""
    return (f"source {name}, which has not answered yet" for name, said in snapshots.items() if said is None)


def unripe(
    snapshots: Mapping[str, Snapshot | None],
    asked: Iterable[tuple[str, str, Waiting]],
    searched: Collection[str],
    since: float,
) -> tuple[str, ...]:
    """What keeps all shared ports from being taken over; nothing: they may be.

    `asked`: service and address of who has not answered its first check. `searched`: services of which HAProxy, `since`
    seconds at it, has found no endpoint yet.
    """
    untold = ((name, said) for name, said in snapshots.items() if said is not None and said.stale and not said.services)
    return (
        *unheard(snapshots),
        *(f"source {name}: {said.stale}" for name, said in untold),
        *(f"service {name}: first check of {at}: {w.reason}" for name, at, w in asked if w.attempts < TRIES),
        *(f"service {name}: HAProxy searches its endpoints" for name in searched if since <= SEARCH),
    )


def barren(
    shared: Iterable[str], services: Collection[Service], frontends: Iterable[Frontend], served: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """The addresses at which nobody would be found though there are services, with the names of these.

    `served`: services with somebody, or that are meant to have nobody.
    """
    there: dict[str, list[str]] = {address: [] for address in shared}
    for bind in (bind for frontend in frontends for bind in frontend.binds if bind.address in there):
        there[bind.address] += [s.name for s in services if any(not route.listen for route in s.routes)]
    for service in services if there else ():
        for address in {route.listen for route in service.routes} & there.keys():
            there[address].append(service.name)
    return {a: tuple(names) for a, names in there.items() if names and not any(name in served for name in names)}


class Ripe:
    """Both, asked of the parts of one balancer after each round."""

    def __init__(self, desired: Desired, wanting: Wanting, driver: Driver) -> None:
        self._desired, self._wanting, self._driver = desired, wanting, driver
        self._emptied = desired.emptied
        self._served: frozenset[str] = frozenset()  # services with an endpoint that may get traffic
        self._barren: dict[str, tuple[str, ...]] = {}

    def unripe(self, stats: Stats, since: float) -> tuple[str, ...]:
        """What keeps all shared ports from being taken over. HAProxy runs for `since` seconds."""
        searched = [service for service in self._wanting.known.values() if service.template and self._driver.running]
        empty = [service.name for service in searched if not self._found(service, stats)]
        return unripe(self._desired.snapshots, self._wanting.admission.asked(), empty, since)

    def barren(self, wanted: Wanted, frontends: Iterable[Frontend], stats: Stats) -> dict[str, tuple[str, ...]]:
        """The shared addresses at which nobody would be found, with the names of their services."""
        known = self._wanting.known.values()
        backends = wanted.backends.items()
        served = {name for name, backend in backends if any(each.endpoint for each in backend.servers.values())}
        self._served = frozenset(served | {s.name for s in known if s.template and self._found(s, stats)})
        self._emptied -= self._served  # from now on it counts that they have somebody
        self._barren = barren(self._wanting.ports.shared, known, frontends, self._served | self._emptied)
        return self._barren

    def told(self) -> dict[str, Any]:
        """The extras to save: services without endpoints that are served all the same."""
        held = {name for names in self._barren.values() for name in names}
        return {EMPTY: sorted(self._wanting.known.keys() - self._served - held)}

    def _found(self, service: Service, stats: Stats) -> bool:
        homes = self._driver.running.homes.get(service.name, ()) if self._driver.running else ()
        return any(each.state == "up" for home in homes for each in shown_slots.found(service, home, stats, 0.0))
