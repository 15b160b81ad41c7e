"""The registrar's hands: one holder for each registry, changed without a gap when the configuration is read again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from longshore.agent import register_setup as setup
from longshore.agent.connect_holders import holder_of
from longshore.agent.pace import Backoff
from longshore.agent.register_book import Wish
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
        self._wish: Wish | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._failed: dict[str, Problem] = {}  # by registry

    def want(self, wish: Wish) -> None:
        """Say what must stand in the registries from now on."""
        if self._wish != wish:
            self._wish = wish
            for name, hand in self._hands.items():
                hand.holder.want(wish.of(name))

    async def take(self, loaded: Loaded) -> None:
        """Hold in the registries of the configuration, and in no others."""
        wanted, ttl = setup.registries_of(loaded), setup.section_of(loaded).ttl
        gone = [self._hands.pop(name) for name in list(self._hands) if name not in wanted]
        fresh: dict[str, Hand] = {}
        for name, source in wanted.items():
            old = self._hands.get(name)
            if old is not None and (old.source, old.ttl) == (source, ttl):
                continue
            if old is not None and old.same_place(source):
                await self._end(old, keep=True)
            fresh[name] = self._hands[name] = self._begin(loaded, name, source, ttl)
            if old is not None and not old.same_place(source):
                self._leave(old, {name: fresh[name]})
        for old in gone:  # it may be the same registry by another name
            self._leave(old, fresh)
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
        holder = holder_of(loaded, name, self._owner, ttl, state_dir=loaded.config.state_dir)
        if self._wish is not None:
            holder.want(self._wish.of(name))
        return Hand(holder, source, ttl, asyncio.create_task(self._forever(name, holder), name=f"registry {name}"))

    def _leave(self, old: Hand, new: Mapping[str, Hand]) -> None:
        """Withdraw from an old place once everything stands in the new ones."""
        self._leaving.add(task := asyncio.create_task(self._left(old, new)))
        task.add_done_callback(self._leaving.discard)

    async def _left(self, old: Hand, new: Mapping[str, Hand]) -> None:
        try:
            async with asyncio.timeout(TAKEOVER):
                while not all(  # noqa: ASYNC110 - holders only can be asked
                    holds(hand.holder, self._part(name)) for name, hand in new.items()
                ):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            registries = ", ".join(new)
            log.warning("a new place does not hold everything yet, the old one is left all the same", new=registries)
        finally:
            await self._end(old, keep=False)

    def _part(self, registry: str) -> dict[str, Entry]:
        """What is to stand in a registry."""
        return self._wish.of(registry) if self._wish else {}

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
