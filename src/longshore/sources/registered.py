"""The loop that `etcd`, `zookeeper` and `consul` share: what stands in a registry as snapshots, for ever.

An `Adapter` speaks to its registry and tells a `Sink` what stands there: first everything, then each change. Whatever
breaks, the last snapshot stays, marked stale with the reason, and the adapter is asked to list again. A sudden loss of
most endpoints is doubted (`core.freeze`): those that still answer stay.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from longshore.clients.registry_faults import RegistryError
from longshore.core.freeze import Freeze, Mark
from longshore.core.model import Problem, Snapshot
from longshore.core.registered import Options, Registered
from longshore.core.registered_entry import Value
from longshore.sources.answering import Answer, answer_of
from longshore.sources.names import REFRESH, Lookup, Names, lookup
from longshore.sources.nameservers import asking

__all__ = ["Adapter", "Gate", "Options", "Patience", "Sink", "Value", "ask_doubted", "stream", "watch"]


class Sink(Protocol):
    """Takes what an adapter finds. All calls are cheap; nothing is published before `published`."""

    def replace(self, found: Mapping[str, Value]) -> None:
        """Take the whole content: after listing. What is not in it is gone."""

    def put(self, key: str, value: Value) -> None:
        """Take one key, new or changed."""

    def delete(self, key: str) -> None:
        """Forget one key; an unknown one is no error."""

    def published(self) -> None:
        """End a batch (a listing, the events of one answer): a snapshot is published if anything is different."""


class Adapter(Protocol):
    """One registry, to read from."""

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Connect, list, `sink.replace`, `sink.published`; then follow. Called again after every failure.

        Raises RegistryError on whatever breaks (also a suspended session, a compaction, no leader), and nothing else.
        Keys are whole keys or paths, as text; bytes that are not UTF-8 are written with "backslashreplace".
        """


class Follower(Sink, Protocol):
    """A sink that outlives failures."""

    def broke(self, error: RegistryError) -> bool:
        """Know that the registry cannot be watched; False if that is known."""


class Doubter(Protocol):
    """What doubts a sudden loss."""

    @property
    def freeze(self) -> Freeze: ...
    @property
    def doubt(self) -> asyncio.Event: ...
    def answered(self, mark: Mark, *, alive: bool) -> None: ...
    def published(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    first: float = 0.1  # before the first new try after a break, doubled each time …
    longest: float = 5.0  # … up to this
    doubt: float = 2.0  # between questions to endpoints that vanished together with most others


@dataclass(slots=True)
class Gate:
    """A source's freeze, from outside: for `longshore thaw`."""

    _thaw: Callable[[], int] = field(default=lambda: 0, repr=False)
    kept: int = 0  # endpoints that are served although they are not registered

    def opens(self, thaw: Callable[[], int]) -> None:
        """Take what thaws the source: the source says it when it starts."""
        self._thaw = thaw

    def thaw(self) -> int:
        """Accept that the endpoints are gone. Gives how many went."""
        return self._thaw()


class Content:
    """All that is known of one registry, as snapshots."""

    def __init__(
        self,
        options: Options,
        publish: Callable[[Snapshot], None],
        names: Names,
        *,
        last: Snapshot | None = None,
        gate: Gate | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`last` is the snapshot from before a restart."""
        earlier = last.services if last else ()
        self.freeze = Freeze(options.source, earlier)
        self.whole = False  # whether it has been listed since the start
        self.doubt = asyncio.Event()  # set while there are doubted endpoints
        self._source = options.source
        self._registered = Registered(options, earlier)
        self._publish = publish
        self._names = names
        self._gate = gate or Gate()
        self._clock = clock
        self._stale: Problem | None = None
        self._stale_since = ""
        self._last: Snapshot | None = None
        self._gate.opens(self.thaw)

    def replace(self, found: Mapping[str, Value]) -> None:
        """Take the whole content."""
        self._registered.replace(found)
        self._registered.changed |= set() if self.whole else {""}
        self.whole = True
        self._stale, self._stale_since = None, ""

    def put(self, key: str, value: Value) -> None:
        """Take one key."""
        self._registered.put(key, value)

    def delete(self, key: str) -> None:
        """Forget one key."""
        self._registered.delete(key)

    def broke(self, error: RegistryError) -> bool:
        """Note that the registry cannot be watched; False if that is known. The time told is of the first failure."""
        news = self._stale is None
        self._stale = Problem(f"source {self._source}", error.what, error.hint)
        self._stale_since = self._stale_since or time.strftime("%H:%M:%S", time.localtime(self._clock()))
        self.published()
        return news

    def resolved(self) -> None:
        """Take what is known of host names now."""
        self._registered.resolved(self._names.addresses, self._names.failures)
        self.published()

    def answered(self, mark: Mark, *, alive: bool) -> None:
        """Take whether a doubted endpoint answers."""
        self.freeze.answered(mark, alive=alive)

    def thaw(self) -> int:
        """Accept a loss."""
        count = self.freeze.thaw()
        self.published()
        return count

    def published(self) -> None:
        """Publish, if anything is different."""
        snapshot = self._snapshot()
        if snapshot != self._last:
            self._last = snapshot
            self._publish(snapshot)

    def _snapshot(self) -> Snapshot:
        own = () if self._stale is None else (self._stale,)
        stale = f"{self._stale.what}, since {self._stale_since}" if self._stale else ""
        if not self.whole:
            return Snapshot(self._source, (), own, stale or "the registry has not been asked yet")
        registered = self._registered
        _, problems = registered.build()
        if registered.hosts_changed:
            registered.hosts_changed = False
            self._names.want(registered.hosts)
        if registered.changed:
            everything = "" in registered.changed
            changed = None if everything else registered.changed
            self.freeze.take(registered.services, changed, self._clock(), registered.left)
            registered.changed, registered.left = set(), set()
        if self.freeze.doubted:
            self.doubt.set()
        else:
            self.doubt.clear()
        self._gate.kept = self.freeze.kept
        alarm = self.freeze.alarm
        return Snapshot(self._source, self.freeze.services, (*own, *((alarm,) if alarm else ()), *problems), stale)


async def watch(
    options: Options,
    adapter: Adapter,
    publish: Callable[[Snapshot], None],
    *,
    last: Snapshot | None = None,
    gate: Gate | None = None,
    patience: Patience = Patience(),
    lookup: Lookup = lookup,
    refresh: float = REFRESH,
    answer: Callable[[str, int], Awaitable[Answer]] = answer_of,
    clock: Callable[[], float] = time.time,
) -> NoReturn:
    """Publish what is registered, for ever. `last` is the snapshot from before a restart."""
    names = Names(lookup=lookup, refresh=refresh, ask=asking())
    content = Content(options, publish, names, last=last, gate=gate, clock=clock)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow_names(content, names))
            group.create_task(ask_doubted(content, patience, answer))
            await stream(content, adapter, patience)
    finally:
        await names.close()
    raise AssertionError("a stream of a registry ended without a reason")


async def stream(content: Follower, adapter: Adapter, patience: Patience) -> NoReturn:
    """Follow a registry, for ever; what breaks is told, and tried again."""
    tries = 0
    while True:
        try:
            await adapter.list_then_stream(content)
        except RegistryError as error:
            _heed_cancellation()
            tries = 0 if content.broke(error) else tries + 1
        await asyncio.sleep(back_off(patience, tries))


async def _follow_names(content: Content, names: Names) -> NoReturn:
    while True:
        await names.changed.wait()
        await asyncio.sleep(0)  # answers that came together make one snapshot
        names.changed.clear()
        content.resolved()


async def ask_doubted(
    content: Doubter, patience: Patience, answer: Callable[[str, int], Awaitable[Answer]]
) -> NoReturn:
    """Ask doubted endpoints whether they are there: refused is a clear word, silence must last."""
    silent: dict[Mark, int] = {}
    while True:
        await content.doubt.wait()
        doubted = dict(content.freeze.doubted)
        answers = await asyncio.gather(*(answer(e.address, e.port) for e in doubted.values()))
        for mark, said in zip(doubted, answers, strict=True):
            silent[mark] = silent.get(mark, 0) + 1 if said == "silent" else 0
            if said != "silent" or silent[mark] >= MOST_SILENCE:
                content.answered(mark, alive=said == "open")
        content.published()
        silent = {mark: count for mark, count in silent.items() if mark in dict(content.freeze.doubted)}
        await asyncio.sleep(patience.doubt)


MOST_SILENCE = 3
"""Times that a doubted endpoint may give no answer at all before it counts as gone."""


def _heed_cancellation() -> None:
    """End if somebody asked for it: before Python 3.13 a TaskGroup that fails swallows a cancellation meanwhile."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def back_off(patience: Patience, tries: int) -> float:
    """Give the seconds before the next try. Jitter, so that many agents do not come back to a registry in step."""
    return min(patience.first * 2.0 ** min(tries, 20), patience.longest) * random.uniform(0.5, 1.0)  # noqa: S311
