"""The registrar's hands: one holder for each registry, changed without a gap when the configuration is read again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from longshore.agent import register_setup as setup
from longshore.agent.connect_holders import holder_of
from longshore.agent.pace import Backoff
from longshore.agent.register_leases import Leases, holds
from longshore.config.load import Loaded
from longshore.config.registries import Registry
from longshore.core.entries import Entry
from longshore.core.model import Problem
from longshore.registries.hold import Holder

TAKEOVER = 10.0  # seconds that a new place may take to hold everything before the old one is left

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hand:
    """One holder at work."""

    holder: Holder
    source: Registry
    ttl: float
    task: asyncio.Task[None]

    def same_place(self, source: Registry) -> bool:
        """Whether the entries of another configuration stand in the same place: they are adopted then."""
        mine = (self.source.type, getattr(self.source, "prefix", ""), self.source.layout)
        return mine == (source.type, getattr(source, "prefix", ""), source.layout)


class Hands:
    """All holders of a registrar."""

    def __init__(self, leases: Leases, owner: str) -> None:
        self._leases, self._owner = leases, owner
        self._hands: dict[str, Hand] = {}
        self._wanted: dict[str, Entry] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._failed: dict[str, Problem] = {}  # by registry

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand in every registry from now on."""
        if self._wanted != entries:
            self._wanted = dict(entries)
            for hand in self._hands.values():
                hand.holder.want(self._wanted)

    async def take(self, loaded: Loaded) -> None:
        """Hold in the registries of the configuration, and in no others."""
        wanted, ttl = setup.registries_of(loaded), setup.section_of(loaded).ttl
        for name in [name for name in self._hands if name not in wanted]:
            await self._end(self._hands.pop(name), keep=False)
        for name, source in wanted.items():
            old = self._hands.get(name)
            if old is not None and (old.source, old.ttl) == (source, ttl):
                continue
            if old is not None and old.same_place(source):
                await self._end(old, keep=True)
            new = self._hands[name] = self._begin(loaded, name, source, ttl)
            if old is not None and not old.same_place(source):
                self._leaving.add(task := asyncio.create_task(self._leave(name, old, new)))
                task.add_done_callback(self._leaving.discard)
        self._leases.holders = {name: hand.holder for name, hand in self._hands.items()}
        self._leases.types = {name: hand.source.type for name, hand in self._hands.items()}

    async def close(self, *, keep: bool) -> None:
        """End all of them, at the same time."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.gather(*(self._end(hand, keep=keep) for hand in self._hands.values()))
        self._hands.clear()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Holders that failed by a defect."""
        return tuple(problem for name, problem in self._failed.items() if name in self._hands)

    def _begin(self, loaded: Loaded, name: str, source: Registry, ttl: float) -> Hand:
        holder = holder_of(loaded, name, self._owner, ttl)
        if self._wanted is not None:
            holder.want(self._wanted)
        return Hand(holder, source, ttl, asyncio.create_task(self._forever(name, holder), name=f"registry {name}"))

    async def _leave(self, name: str, old: Hand, new: Hand) -> None:
        """Withdraw from an old place once everything stands in the new one."""
        try:
            async with asyncio.timeout(TAKEOVER):
                while not holds(new.holder, self._wanted or {}):  # noqa: ASYNC110 - holders only can be asked
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("the new place does not hold everything yet, the old one is left all the same", registry=name)
        finally:
            await self._end(old, keep=False)

    @staticmethod
    async def _end(hand: Hand, *, keep: bool) -> None:
        hand.task.cancel()
        await asyncio.gather(hand.task, return_exceptions=True)
        await hand.holder.close(keep=keep)

    async def _forever(self, name: str, holder: Holder) -> None:
        """A holder never ends; if it does, it is a defect that must not end the others."""
        backoff = Backoff(1.0, 60.0)
        while True:
            try:
                await holder.run()
            except Exception:
                log.exception("a registry's holder failed and is started again; please report this", registry=name)
                what = "its holder failed by a defect and is started again; the log says more"
                self._failed[name] = Problem(f"registry {name}", what, "please report it")
                self._leases.poke()
            await asyncio.sleep(backoff.next())
