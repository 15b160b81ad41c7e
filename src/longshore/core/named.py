"""Services whose endpoints are what a name in DNS says: addresses with a port of ours, or SRV records.

`Named` remembers what it made: the identical `Service` and `Endpoint` come out for what did not change. Where HAProxy
resolves the name itself, the service has no endpoints but a template with room for as many as the name has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from longshore.core.held import Record
from longshore.core.model import Endpoint, Resolvers, Service, Template
from longshore.core.places import joined
from longshore.core.spec import Spec, service_parts

LATER = ", and that others come first"
HEAVIEST = 256  # of HAProxy's servers; SRV records have up to 65535


@dataclass(frozen=True, slots=True)
class Pick:
    """A service of the operator that is made of a name."""

    service: str
    spec: Spec
    name: str  # what is looked up
    kind: Literal["a", "srv"] = "a"
    port: int = 0  # of every address; 0 with SRV records, which have their own


@dataclass(slots=True)
class Named:
    """Makes services of names. With `resolvers`, HAProxy resolves them, and has `slots` of each at first."""

    source: str
    resolvers: Resolvers | None = None
    slots: int = 0
    _last: dict[str, Service] = field(default_factory=dict)
    _made: dict[str, tuple[Pick, tuple[Record, ...]]] = field(default_factory=dict)  # what the last ones are made of

    def remember(self, services: Iterable[Service]) -> None:
        """Take what was made before a restart."""
        self._last = {service.name: service for service in services}

    def build(
        self, picks: Iterable[Pick], records: Mapping[str, tuple[Record, ...]], now: float
    ) -> tuple[Service, ...]:
        """The services now; `records` by the name of the service."""
        return tuple(self._service(pick, records.get(pick.service, ()), now) for pick in picks)

    def _service(self, pick: Pick, records: tuple[Record, ...], now: float) -> Service:
        last = self._last.get(pick.service)
        made = self._made.get(pick.service)
        if last is not None and made is not None and made[0] is pick and made[1] is records:
            return last
        service = self._last[pick.service] = self._new(pick, records, last, now)
        self._made[pick.service] = pick, records
        return service

    def _new(self, pick: Pick, records: tuple[Record, ...], last: Service | None, now: float) -> Service:
        mode, routes, policy = service_parts(pick.spec, pick.service)
        if self.resolvers is not None:
            template = self._template(pick, len(records), last, self.resolvers)
            service = Service(pick.service, mode, routes, policy, (), (self.source,), template)
        else:
            before = {endpoint.id: endpoint for endpoint in last.endpoints} if last else {}
            endpoints = tuple(_endpoints(pick, records, before, now))
            service = Service(pick.service, mode, routes, policy, endpoints, (self.source,))
        return last if last is not None and last == service else service

    def _template(self, pick: Pick, needed: int, last: Service | None, resolvers: Resolvers) -> Template:
        """Never fewer slots than there were: that would cost a reload and win nothing."""
        had = last.template.slots if last and last.template and last.template.name == pick.name else 0
        slots = max(self.slots, had)
        if needed > slots:
            slots = room_for(needed)
        spec = pick.spec
        weight = 100 if spec.weight is None else spec.weight
        return Template(pick.name, pick.port, slots, weight, bool(spec.backup), resolvers)


def is_of(pick: Pick, endpoint: Endpoint) -> bool:
    """Whether an endpoint of an earlier life was made of this name, and not of one that was picked before."""
    return endpoint.reason.removesuffix(LATER) == _reason(pick)


def room_for(needed: int) -> int:
    """Half as many again, in tens: the next few come without a reload."""
    return -(-(needed + needed // 2) // 10) * 10


def _endpoints(
    pick: Pick, records: tuple[Record, ...], before: Mapping[str, Endpoint], now: float
) -> Iterable[Endpoint]:
    spec = pick.spec
    first = min((record.priority for record in records), default=0)
    heaviest = max((record.weight or 0 for record in records), default=0)
    for record in records:
        said = None if record.weight is None else _weight(record.weight, heaviest)
        later = record.priority > first
        endpoint = Endpoint(
            id=joined(record.address, record.port),
            name=joined(record.host or record.address, record.port),
            address=record.address,
            port=record.port,
            weight=next(weight for weight in (said, spec.weight, 100) if weight is not None),
            backup=bool(spec.backup) or later,
            reason=_reason(pick) + (LATER if later else ""),
            since=now,
        )
        known = before.get(endpoint.id)
        yield known if known is not None and replace(endpoint, since=known.since) == known else endpoint


def _reason(pick: Pick) -> str:
    return f"DNS says so of {pick.name}"


def _weight(weight: int, heaviest: int) -> int | None:
    """The weight of an SRV record among the others, as HAProxy counts. All zero: all the same (RFC 2782)."""
    if heaviest == 0:
        return None
    scaled = weight if heaviest <= HEAVIEST else round(weight * HEAVIEST / heaviest)
    return max(scaled, 1)  # "a very small chance", not none
