"""A service made of several origins: the items of `from`, fixed `fallback` endpoints, and what was found last.

Each item is found by its source under a name of its own, its *part*: "web.from[1]", as no service can be named. The
fallback endpoints are the part "web.fallback[]". Here the parts of one service become the service; `core.composer`
takes them out of the sources' snapshots.

    from: a list         the union of what its items find: who stands in several of them counts once
    from-first           they take turns: the first item that has endpoints serves, the others wait
    from-toggle          those of one name serve, the others get no traffic but are ready to
    fallback             its turn comes last; with `fallback-always` it serves beside the others instead
    keep-last            none found, and no fallback endpoint either: those that were found last go on

Turns are only numbered here. Whose turn it is, `core.prefer` decides from moment to moment, because it knows who has
answered a first check: so the next in turn takes over when it can answer, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from longshore.core.model import NEVER, Endpoint, EndpointState, Mode, Policy, Route, Service
from longshore.core.twins import Place, Twins, place_of


@dataclass(frozen=True, slots=True)
class Item:
    """One item of `from`."""

    part: str  # the name that its part goes by
    source: str
    recycles: bool = False  # the source gives the address of who is gone to somebody else: engines do
    name: str = ""  # items of the same name belong together; "" stands for itself


@dataclass(frozen=True, slots=True)
class Composition:
    """How one service is made."""

    name: str
    mode: Mode
    routes: tuple[Route, ...]
    policy: Policy
    items: tuple[Item, ...]
    first: bool = False
    fallback: str = ""  # the part of the fallback endpoints; "" without any …
    fallback_source: str = ""  # … and the source that has it
    always: bool = False  # they serve beside the others
    keep_last: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all parts, each once."""
        return tuple(dict.fromkeys((*(item.source for item in self.items), *filter(None, [self.fallback_source]))))

    def turn(self, index: int) -> int:
        """The turn of an item, where they take turns: that of the first one of its name."""
        name = self.items[index].name
        return 1 + next(n for n, item in enumerate(self.items) if n == index or (name and item.name == name))

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts."""
        return (*(item.part for item in self.items), *filter(None, [self.fallback]))


Counts = Callable[[str, tuple[Item, ...], tuple[Service | None, ...]], Collection[int]]
"""Which items of a service count now, by their index: from its name, its items, and what each of them has found (None:
its source has not spoken yet). What the others find gets no traffic, but is ready to."""


def every(_name: str, items: tuple[Item, ...], _parts: tuple[Service | None, ...]) -> Collection[int]:
    """All items count."""
    return range(len(items))


def part_of(service: str, index: int) -> str:
    """The name of an item's part."""
    return f"{service}.from[{index}]"


def fallback_of(service: str) -> str:
    """The name of the part that the fallback endpoints are."""
    return f"{service}.fallback[]"


def is_part(name: str) -> bool:
    """Whether this is the name of a part, and of no service."""
    return name.endswith("]")


def service_of(name: str) -> str:
    """The service that a part belongs to."""
    return name[: name.rindex(".")] if is_part(name) else name


@dataclass(slots=True)
class Memory:
    """What is remembered of one composed service."""

    last: tuple[Endpoint, ...] = ()  # those that were found last
    keeping: bool = False  # they go on, because none is found
    made: Service | None = None
    _marked: dict[str, dict[str, tuple[Endpoint, Endpoint]]] = field(default_factory=dict)  # part, id: in and out

    def marked(self, part: Service, turn: int, origin: str, why: str = "") -> Service:
        """The part with its endpoints' turns, each the same object as long as nothing about it changes."""
        if not turn and not why:
            return part
        before = self._marked.get(part.name, {})
        after = self._marked[part.name] = {}
        for endpoint in part.endpoints:
            reason = "; ".join(filter(None, (why, endpoint.reason)))
            known = before.get(endpoint.id)
            if known is None or known[0] is not endpoint or (known[1].turn, known[1].reason) != (turn, reason):
                known = endpoint, replace(endpoint, turn=turn, origin=origin, reason=reason)
            after[endpoint.id] = known
        return replace(part, endpoints=tuple(out for _, out in after.values()))


def compose(
    how: Composition,
    parts: Mapping[str, Service],
    memory: Memory,
    *,
    twins: Twins,
    counts: Counts = every,
    taken: Collection[Place] = (),
) -> Service:
    """Make a service of its parts. `taken` are addresses where somebody else is by now: who was kept there is gone."""
    found = tuple(parts.get(item.part) for item in how.items)
    fallback = parts.get(how.fallback)
    counted = set(counts(how.name, how.items, found))
    chosen = [part for index, part in enumerate(found) if part and index in counted]
    has_fallback = bool(fallback and fallback.endpoints)
    kept = _kept(how, chosen, memory, taken, has_fallback=has_fallback)
    ordered = how.first or len(counted) < len(found) or (has_fallback and not how.always)

    several = how.first or len(counted) < len(found)
    turns: list[tuple[int, Service]] = []
    for index, part in enumerate(found):
        if part:
            turn = NEVER if index not in counted else how.turn(index) if how.first else 1
            origin = f"from[{index}]" if several else "from"
            turns.append((turn, memory.marked(part, turn if ordered else 0, origin)))
    if kept:
        turns.append((1, memory.marked(kept, 1 if ordered else 0, "from", "kept: none is found any more")))
    if fallback:
        turn = 0 if how.always else len(found) + 1
        turns.append((len(found) + 1, memory.marked(fallback, turn, "fallback", "fallback" if how.always else "")))
    turns.sort(key=lambda each: each[0])

    endpoints = twins.unite(how.name, [part for _, part in turns])
    service = Service(
        how.name, how.mode, how.routes, how.policy, endpoints, how.sources, None, any(e.turn for e in endpoints)
    )
    memory.made = memory.made if memory.made == service else service
    return memory.made


def _kept(
    how: Composition, chosen: Sequence[Service], memory: Memory, taken: Collection[Place], *, has_fallback: bool
) -> Service | None:
    """Those that were found last, if they go on now."""
    memory.keeping = False
    if not how.keep_last:
        memory.last = ()
        return None
    there = tuple(endpoint for part in chosen for endpoint in part.endpoints)
    ready = tuple(endpoint for endpoint in there if endpoint.state is EndpointState.READY)
    if ready and ready != memory.last:
        memory.last = ready
    if taken and any(place_of(endpoint) in taken for endpoint in memory.last) and not there:
        memory.last = tuple(endpoint for endpoint in memory.last if place_of(endpoint) not in taken)
    memory.keeping = not there and bool(memory.last)
    if not memory.keeping or has_fallback:
        return None
    return Service(f"{how.name}.last[]", endpoints=memory.last)
