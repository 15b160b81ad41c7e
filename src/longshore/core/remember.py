"""Services that are gone from every source, kept for a while so that their routes answer 503 (or hold), not 404.

A service whose last copy is being replaced has no endpoint for a moment, and its source then no longer knows that it
exists. `remember` keeps it, without endpoints, until `forget-after` has passed. It ends sooner when the service
returns, or when another service claims its routes: who is there beats who was there.

Two things stop the clock: a problem that names the service (its next version has a label nobody understands: it shall
come back as it was, not vanish), and a stale source (unknown is never empty). Endpoints are never kept here: a snapshot
is complete, and an address that its owner left may be anybody's a second later. Only a stale snapshot that says less
than the one before is no news at all: `latest` puts the earlier one in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from longshore.core.conflicts import Settled, address_of, claim_of
from longshore.core.merge import Merged
from longshore.core.model import Service, Snapshot


@dataclass(frozen=True, slots=True)
class Kept:
    """A service that is gone, as it was but for its endpoints."""

    service: Service
    since: float  # Unix seconds when it went, or when something last stopped the clock


@dataclass(frozen=True, slots=True)
class Remembered:
    """All services to serve: those that are there, then those that are remembered."""

    services: tuple[Service, ...] = ()
    by_name: Mapping[str, Service] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()  # names whose time was up, or whose routes others have now
    next: float | None = None  # when the next one is to be forgotten, Unix seconds


def restored(kept: Mapping[str, Kept]) -> Remembered:
    """Return what was served last, as far as only memory knew it: the beginning after a restart."""
    by_name = {name: each.service for name, each in kept.items()}
    return Remembered(tuple(by_name.values()), by_name, kept)


def remember(before: Remembered, merged: Merged, now: float, forget_after: float) -> Remembered:
    """Say what to serve, after what was served `before`. `forget_after` seconds; 0 keeps nothing."""
    kept: dict[str, Kept] = {}
    forgotten = []
    troubled = {problem.service for problem in merged.problems}
    for name, known in _gone(before, merged, now):
        service = _without_claimed(known.service, merged.settled)
        waits = name in troubled or any(source in merged.stale for source in service.sources)
        since = now if waits else known.since
        if service.routes and service.raw is None and now - since < forget_after:
            kept[name] = known if (service, since) == (known.service, known.since) else Kept(service, since)
        else:
            forgotten.append(name)
    by_name = {**merged.by_name, **{name: each.service for name, each in kept.items()}} if kept else merged.by_name
    times = [each.since + forget_after for each in kept.values()]
    return Remembered(
        services=(*merged.services, *(each.service for each in kept.values())) if kept else merged.services,
        by_name=by_name,
        kept=kept,
        forgotten=tuple(forgotten),
        next=min(times, default=None),
    )


def latest(before: Snapshot | None, new: Snapshot) -> Snapshot:
    """Return the snapshot to go by: `new`, but for the services that a stale one has no news of."""
    if before is None or not new.stale:
        return new
    said = {service.name for service in new.services}
    if said >= {service.name for service in before.services}:
        return new
    missing = tuple(service for service in before.services if service.name not in said)
    return replace(new, services=(*new.services, *missing))


def _gone(before: Remembered, merged: Merged, now: float) -> Iterable[tuple[str, Kept]]:
    """Every service that was served and is in no source now."""
    if before.by_name.keys() <= merged.by_name.keys():
        return
    for name in sorted(before.by_name.keys() - merged.by_name.keys()):
        yield name, before.kept.get(name) or Kept(replace(before.by_name[name], endpoints=(), template=None), now)


def _without_claimed(service: Service, settled: Settled) -> Service:
    """Take away the routes that services which are there own now."""
    free = tuple(
        route for route in service.routes if not _claimed(service, settled, route.listen, claim_of(route, service.mode))
    )
    return service if free == service.routes else replace(service, routes=free)


def _claimed(service: Service, settled: Settled, listen: str, claim: str) -> bool:
    other_mode = listen and settled.modes.get(address_of(listen), service.mode) != service.mode
    return bool(other_mode) or claim in settled.owners
