"""Never fail empty: when most endpoints of a registry are gone at once, those that still answer stay.

Registries lose entries in bulk when somebody deletes a prefix, when leases run out in a cut network, when a session of
many is lost. None of that says that the endpoints are gone. So a sudden loss (over half within `window` seconds, and at
least `least`) is doubted:

    lost ──▶ doubted ──does not answer──▶ gone
                └────────answers─────────▶ kept, with an alarm, until it is registered again, stops answering,
                                           or an operator accepts the loss (`longshore thaw SOURCE`)

What its registrar withdrew on purpose says so before it goes, and is not doubted; nor is what got no traffic.

Doubted and kept endpoints are served as before. Everything is told from outside: what is registered, what answers,
what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from longshore.core.model import Endpoint, EndpointState, Problem, Service

Mark = tuple[str, str]  # a service's name and an endpoint's id
KEPT = "not registered any more, but it answers"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a loss is doubted."""

    window: float = 10.0  # seconds
    share: float = 0.5
    least: int = 3


@dataclass(slots=True)
class _Lost:
    service: Service  # as it last was
    endpoint: Endpoint
    kept: bool = False  # it was asked since, and answered


class Freeze:
    """What of one source is served although it is not registered any more."""

    def __init__(self, source: str, earlier: Iterable[Service] = (), limits: Limits = Limits()) -> None:
        """`earlier` is what was served before a restart: the first listing is compared with it."""
        self.source = source
        self._limits = limits
        self._real = {service.name: service for service in earlier}  # as registered
        self._count = sum(len(service.endpoints) for service in self._real.values())
        self._losses: deque[tuple[float, Mark, _Lost]] = deque()  # within the window
        self._held: dict[Mark, _Lost] = {}
        self._shown: dict[str, Service] = dict(self._real)
        self._sorted = False  # whether these are in order
        self._tuple: tuple[Service, ...] | None = None

    def take(
        self,
        services: Mapping[str, Service],
        changed: Iterable[str] | None,
        now: float,
        left: Collection[Mark] = frozenset(),
    ) -> None:
        """Take what is registered now; `changed` are the names that may be other than last time, None: any.

        `left` went on purpose.
        """
        names = set(changed) if changed is not None else self._real.keys() | services.keys()
        for name in names:
            self._compare(name, self._real.get(name), services.get(name), now, left)
            if name in services:
                self._real[name] = services[name]
            else:
                self._real.pop(name, None)
        self._judge(now)
        for name in names:
            self._show(name)

    @property
    def doubted(self) -> tuple[tuple[Mark, Endpoint], ...]:
        """The endpoints that must be asked whether they are still there, again and again."""
        return tuple((mark, lost.endpoint) for mark, lost in self._held.items())

    def answered(self, mark: Mark, *, alive: bool) -> None:
        """Take what an endpoint's answer was."""
        if (lost := self._held.get(mark)) is None:
            return
        if not alive:
            self._let_go([mark])
        elif not lost.kept:
            lost.kept = True
            lost.endpoint = replace(lost.endpoint, reason=KEPT)
            self._show(mark[0])

    def thaw(self) -> int:
        """Accept the loss. Gives the number of endpoints that go."""
        gone = list(self._held)
        self._let_go(gone)
        return len(gone)

    @property
    def kept(self) -> int:
        """The number of endpoints that are served, answer, and are not registered."""
        return sum(lost.kept for lost in self._held.values())

    @property
    def services(self) -> tuple[Service, ...]:
        """What to serve, sorted by name. Unchanged services are the identical object."""
        if self._tuple is None:
            if not self._sorted:
                self._shown = dict(sorted(self._shown.items()))
                self._sorted = True
            self._tuple = tuple(self._shown.values())
        return self._tuple

    @property
    def alarm(self) -> Problem | None:
        """What a person must know."""
        if not self.kept:
            return None
        names = sorted({mark[0] for mark, lost in self._held.items() if lost.kept})
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        what = f"{self.kept} endpoints of {listed} vanished from the registry together, but answer: they stay in use"
        return Problem(f"source {self.source}", what, f"if they are meant to go: longshore thaw {self.source}")

    def _compare(
        self, name: str, before: Service | None, after: Service | None, now: float, left: Collection[Mark]
    ) -> None:
        if before is after:
            return
        old = {endpoint.id: endpoint for endpoint in before.endpoints} if before else {}
        new = {endpoint.id: endpoint for endpoint in after.endpoints} if after else {}
        self._count += len(new) - len(old)
        if self._held:
            taken = {_place(endpoint) for endpoint in new.values()}
            back = [mark for mark, lost in self._held.items() if mark[0] == name and mark[1] in new]
            back += [mark for mark, lost in self._held.items() if _place(lost.endpoint) in taken and mark not in back]
            self._let_go(back)
        if before is not None:
            for identity in old.keys() - new.keys():
                if old[identity].state is not EndpointState.READY or (name, identity) in left:
                    continue  # it got no traffic any more
                self._losses.append((now, (name, identity), _Lost(before, old[identity])))

    def _judge(self, now: float) -> None:
        while self._losses and self._losses[0][0] < now - self._limits.window:
            self._losses.popleft()
        lost = {mark: loss for _, mark, loss in self._losses if not self._registered(mark)}
        sudden = len(lost) >= self._limits.least and len(lost) > self._limits.share * (self._count + len(lost))
        if not lost or not (sudden or self._held):
            return
        taken = {_place(endpoint) for service in self._real.values() for endpoint in service.endpoints}
        for mark, loss in lost.items():
            if _place(loss.endpoint) not in taken:
                self._held.setdefault(mark, loss)
                self._show(mark[0])
        self._losses.clear()

    def _registered(self, mark: Mark) -> bool:
        service = self._real.get(mark[0])
        return service is not None and any(endpoint.id == mark[1] for endpoint in service.endpoints)

    def _let_go(self, marks: list[Mark]) -> None:
        for mark in marks:
            del self._held[mark]
        for name in {mark[0] for mark in marks}:
            self._show(name)

    def _show(self, name: str) -> None:
        """Bring what is served of one service up to date."""
        held = [lost for mark, lost in self._held.items() if mark[0] == name] if self._held else []
        real = self._real.get(name)
        before = self._shown.get(name)
        service = real
        if held:
            base = real or held[0].service
            endpoints = [*(real.endpoints if real else ()), *(lost.endpoint for lost in held)]
            service = replace(base, endpoints=tuple(sorted(endpoints, key=lambda endpoint: endpoint.id)))
            service = before if before == service else service
        if service is before:
            return
        self._tuple = None
        if service is None:
            del self._shown[name]
        else:
            self._sorted &= before is not None
            self._shown[name] = service


def _place(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.address, endpoint.port
