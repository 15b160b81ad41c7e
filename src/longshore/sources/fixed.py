"""Fixed endpoints: services of the operator whose addresses are written down, in the configuration or in files.

`Fixed` turns what was written, and what its names resolve to, into services. The identical `Service` comes out for what
did not change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from longshore.config.entries import FixedService
from longshore.config.services import FixedEndpoint
from longshore.core.model import Endpoint, Problem, Service, Snapshot
from longshore.core.places import joined
from longshore.core.spec import service_parts
from longshore.sources.names import REFRESH, Lookup, Names, lookup

Publish = Callable[[Snapshot], None]
Clock = Callable[[], float]  # Unix seconds


class Fixed:
    """Makes services of fixed endpoints, comparing with what it made before (`last`)."""

    def __init__(self, source: str, clock: Clock = time.time, last: Iterable[Service] = ()) -> None:
        self.source, self.clock = source, clock
        self._last: dict[str, Service] = {service.name: service for service in last}

    def build(
        self, entries: Iterable[FixedService], addresses: Mapping[str, str], failures: Mapping[str, str]
    ) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
        """Services and problems of what is written now. A name that never had an address is left out."""
        problems: list[Problem] = []
        services = [self._service(entry, addresses, failures, problems) for entry in entries]
        self._last = {service.name: service for service in services}
        return tuple(services), tuple(problems)

    def _service(
        self,
        entry: FixedService,
        addresses: Mapping[str, str],
        failures: Mapping[str, str],
        problems: list[Problem],
    ) -> Service:
        last = self._last.get(entry.name)
        before = {endpoint.id: endpoint for endpoint in last.endpoints} if last else {}
        endpoints: dict[str, Endpoint] = {}
        for written, place in zip(entry.endpoints, entry.places, strict=True):
            address = addresses.get(written.address) if written.named else written.address
            if why := failures.get(written.address) if written.named else None:
                hint = f"the last address {address} stays in use" if address else "nothing is sent there until it does"
                what = f"{written.address} does not resolve: {why}"
                problems.append(Problem(str(place), what, hint, entry.name))
            if address is None:
                continue
            endpoint = self._endpoint(entry, written, address, before)
            if (twin := endpoints.setdefault(endpoint.id, endpoint)) is not endpoint:
                what = f"{written.label} is {address}, the same as {twin.name}"
                problems.append(Problem(str(place), what, "remove one of them", entry.name))
        mode, routes, policy = service_parts(entry.spec, entry.name)
        service = Service(entry.name, mode, routes, policy, tuple(endpoints.values()), (self.source,))
        return last if last == service else service

    def _endpoint(
        self, entry: FixedService, written: FixedEndpoint, address: str, before: Mapping[str, Endpoint]
    ) -> Endpoint:
        spec = entry.spec
        weight = next((weight for weight in (written.weight, spec.weight) if weight is not None), 100)
        reason = f"{written.address} resolved to {address}, " if written.named else ""
        endpoint = Endpoint(
            id=joined(address, written.port),
            name=written.name or written.label,
            address=address,
            port=written.port,
            weight=weight,
            backup=bool(spec.backup if written.backup is None else written.backup),
            reason=f"{reason}written in {entry.place.file}",
            since=self.clock(),
            host=written.address if written.named else "",
            zone=written.zone or spec.zone,
        )
        earlier = before.get(endpoint.id)
        same = earlier is not None and replace(endpoint, since=earlier.since) == earlier
        return earlier if earlier is not None and same else endpoint


def wanted_names(entries: Iterable[FixedService]) -> set[str]:
    """The host names among the endpoints."""
    return {endpoint.address for entry in entries for endpoint in entry.endpoints if endpoint.named}


def known_names(last: Snapshot | None) -> dict[str, str]:
    """The addresses that names had in an earlier snapshot, for the time until they are looked up again."""
    endpoints = [endpoint for service in (last.services if last else ()) for endpoint in service.endpoints]
    return {endpoint.host: endpoint.address for endpoint in endpoints if endpoint.host}


async def watch(
    name: str,
    entries: tuple[FixedService, ...],
    publish: Publish,
    *,
    last: Snapshot | None = None,
    clock: Clock = time.time,
    lookup: Lookup = lookup,
    refresh: float = REFRESH,
) -> None:
    """Publish the services of the configuration that have `endpoints`, for ever; again when a name changes.

    `last` is the snapshot of an earlier run: its addresses hold until the names are looked up.
    """
    names = Names(known=known_names(last), lookup=lookup, refresh=refresh)
    fixed = Fixed(name, clock, last.services if last else ())
    try:
        names.want(wanted_names(entries))
        while True:
            names.changed.clear()
            services, problems = fixed.build(entries, names.addresses, names.failures)
            publish(Snapshot(name, services, problems))
            await names.changed.wait()
            await asyncio.sleep(0)  # answers that came together make one snapshot
    finally:
        await names.close()
