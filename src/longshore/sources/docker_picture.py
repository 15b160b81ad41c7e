"""What is known of the containers of one engine, and what an event or an inspect changes in it. No I/O.

Hardly any event says what is now: it only says *which container* to ask about, and the inspect that follows is the
truth. Three are acted upon before any question, because waiting would cost requests:

- `kill` with the container's stop signal, or KILL: it is about to end, so it is stopping from this moment on;
- `die`: the same, in case it ended by itself; the inspect that follows tells whether it will be restarted;
- `destroy`: it is gone.

A container that survives its stop signal stays stopping until it is started again: the engine will kill it soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from longshore.clients.docker_events import Event
from longshore.core.address import Here
from longshore.core.containers import Container, from_inspect
from longshore.core.model import Problem
from longshore.core.signals import ends, number
from longshore.sources.docker_here import BEYOND, Place, here_of

LIVE = ("running", "paused", "restarting")
REPLAY = 15.0
"""Seconds to look back at the first start: a stop signal sent just before it still counts."""
T = TypeVar("T")
Made = TypeVar("Made", covariant=True)


class Builder(Protocol[Made]):
    """Makes something of containers, kept up to date change by change: services (`core.build`), registrations."""

    def set(self, container: Container) -> None:
        """Add a container, or replace what was known of it."""

    def remove(self, container_id: str) -> None:
        """Forget a container."""

    def replace_all(self, containers: Iterable[Container]) -> None:
        """Hold exactly these containers."""

    def build(self) -> tuple[tuple[Made, ...], tuple[Problem, ...]]:
        """Give all that is made, and all problems."""


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """What was made of an engine's containers. `stale` says why it is not renewed, "" while it is.

    `whole` tells that every container has been asked about once; before that there is nothing.
    """

    made: tuple[T, ...] = ()
    problems: tuple[Problem, ...] = ()
    stale: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Todo:
    """What an event asks for. `publish`: the picture changed. `ask`: inspect the container."""

    publish: bool = False
    ask: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """A sign that a container ends: a signal's number, or 0 for `die`, at a time of the engine's clock."""

    signal: int
    time: float


class Picture(Generic[T]):
    """All containers of one engine that live. `whole` tells that every one of them has been asked about once.

    `where` is what problems with the engine are said of: "source docker".
    """

    def __init__(self, where: str, builder_for: Callable[[Here], Builder[T]]) -> None:
        self.where = where
        self.whole = False
        self.stale: Problem | None = None  # why the picture is not renewed
        self._stale_since = ""
        self._builder_for = builder_for
        self._place: Place | None = None
        self._builder: Builder[T] | None = None
        self._containers: dict[str, Container] = {}
        self._ends: dict[str, list[End]] = {}
        self._troubles: dict[str, Problem] = {}
        self._last_nanos = 0

    @property
    def known(self) -> frozenset[str]:
        """The ids of all containers that may still have to be asked about when the engine lists others."""
        return frozenset((*self._containers, *self._troubles))

    def since(self, engine_now: float) -> str:
        """Give the moment from which events are needed, as the engine writes it: seconds with nine decimals."""
        if self._last_nanos:
            return f"{self._last_nanos // 10**9}.{self._last_nanos % 10**9:09d}"
        return f"{max(engine_now - REPLAY, 0):.9f}"

    def situate(self, place: Place) -> None:
        """Say where longshore itself is. Addresses depend on it, so a change builds everything anew."""
        if place == self._place and self._builder is not None:
            return
        self._place = place
        self.rebuild()

    def rebuild(self) -> None:
        """Make everything anew: `builder_for` gives another builder than before."""
        if self._place is not None:
            self._builder = self._builder_for(self._place.here)
            self._builder.replace_all(self._containers.values())

    def note(self, event: Event) -> Todo:
        """Take in an event."""
        self._last_nanos = max(self._last_nanos, event.nanos)
        identity, held = event.container, event.container in self._containers
        if event.action == "destroy":
            return Todo(publish=self._forget(identity))
        if event.action == "start":
            self._ends.pop(identity, None)
            return Todo(ask=True)
        if event.action in ("kill", "die"):
            signal = number(event.signal) if event.action == "kill" else 0
            if event.action == "die" or signal:
                self._ends.setdefault(identity, []).append(End(signal, event.time))
            return Todo(publish=held and self._put(self._containers[identity], event.time), ask=event.action == "die")
        moved = event.action == "connect" and self._mind_network(event)
        return Todo(publish=moved, ask=held or identity in self._troubles)

    def learn(self, identity: str, document: Mapping[str, Any] | None, time: float) -> bool:
        """Take in what the engine says of a container (None: there is none); say whether anything changed.

        `time` is that of the event that led to the question, 0 if it was a listing.
        """
        if document is None:
            return self._forget(identity)
        try:
            container = from_inspect(document)
        except ValueError as error:
            return self.trouble(identity, f"the engine describes it in a way that cannot be read: {error}")
        changed = self._troubles.pop(identity, None) is not None
        if container.status not in LIVE:
            return self._forget(identity) or changed
        if self._place is not None and identity == self._place.container:
            here = here_of(document, self._place.here)
            if here != self._place.here:
                self.situate(Place(here, identity))
                changed = True
        return self._put(container, time) or changed

    def trouble(self, identity: str, what: str, hint: str = "") -> bool:
        """Note that a container cannot be asked about or read. What was known of it stays."""
        held = self._containers.get(identity)
        problem = Problem(f"container {held.name if held else identity[:12]}", what, hint)
        changed = self._troubles.get(identity) != problem
        self._troubles[identity] = problem
        return changed

    def listed(self) -> None:
        """Note that every listed container has been asked about: the picture is whole and current."""
        self.whole = True
        self.stale, self._stale_since = None, ""

    def broke(self, what: str, hint: str, clock: str) -> None:
        """Note that the engine cannot be watched. The moment told is that of the first failure in a row."""
        self.stale = Problem(self.where, what, hint)
        self._stale_since = self._stale_since or clock

    def view(self) -> View[T]:
        """Give all of it, complete. Nothing at all is known before the first listing is done."""
        own: tuple[Problem, ...] = ()
        stale = ""
        if self.stale is not None:
            own, stale = (self.stale,), f"{self.stale.what}, since {self._stale_since}"
        if not self.whole or self._builder is None:
            return View((), own, stale or "the engine has not been asked yet")
        made, problems = self._builder.build()
        return View(made, (*own, *self._troubles.values(), *problems), stale, whole=True)

    def _mind_network(self, event: Event) -> bool:
        """Learn of a network, maybe a new one, that the engine's host cannot reach."""
        place = self._place
        if place is None or event.driver not in BEYOND or not place.here.on_host:
            return False
        beyond = place.here.beyond | {event.network}
        changed = beyond != place.here.beyond
        self.situate(replace(place, here=replace(place.here, beyond=beyond)))
        return changed

    def _put(self, container: Container, time: float) -> bool:
        """Hold a container, with what only events tell: whether it is stopping, and since when it is as it is."""
        ending = [
            end.time
            for end in self._ends.get(container.id, ())
            if end.time > container.started and (end.signal == 0 or ends(end.signal, container.stop_signal))
        ]
        held = self._containers.get(container.id)
        container = replace(container, stopping=bool(ending))
        if held is not None and container == replace(held, name=container.name, since=container.since):
            container = replace(container, since=held.since)
        elif ending:
            container = replace(container, since=ending[0])
        elif time:
            container = replace(container, since=time)
        if container == held:
            return False
        self._containers[container.id] = container
        if self._builder is not None:
            self._builder.set(container)
        return True

    def _forget(self, identity: str) -> bool:
        self._ends.pop(identity, None)
        troubled = self._troubles.pop(identity, None) is not None
        held = self._containers.pop(identity, None) is not None
        if held and self._builder is not None:
            self._builder.remove(identity)
        return held or troubled
