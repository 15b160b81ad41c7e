"""Registering in ZooKeeper: ephemeral sequential nodes of one session, mended until they are what is wanted.

One session keeps all entries of a registrar, and outlives a broken connection. One loop compares what stands there with
what is wanted, and has `zookeeper_mend` write the difference. It wakes when something else is wanted, when a watch on
one of our own nodes fires, and when the connection breaks or comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.clients.registry_faults import RegistryError
from longshore.clients.zookeeper import ZooKeeper
from longshore.clients.zookeeper_connect import ZooKeeperSettings, session_of
from longshore.clients.zookeeper_faults import ZooKeeperError
from longshore.core.entries import Entry
from longshore.core.layouts import Layout
from longshore.registries.hold import LeaseStatus
from longshore.registries.zookeeper_mend import Mender
from longshore.registries.zookeeper_sessions import OwnSessions
from longshore.registries.zookeeper_standing import Standings
from longshore.registries.zookeeper_written import written


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done, in seconds."""

    first: float = 0.1  # before the first new try after a failure, doubled each time …
    longest: float = 5.0  # … up to this
    refused: float = 10.0  # before what was refused is tried again
    farewell: float = 2.0  # longest time for last words at the end
    spread: float = 1.0  # a session that ended is begun anew within this time, each registrar at its own moment


class ZooKeeperHolder:
    """Keeps one owner's entries under one prefix of an ensemble (`registries.hold.Holder`).

    `registry` is the source's name, `layout` one of `core.layouts`, `ttl` the seconds that entries outlive us. `own`
    knows the sessions of earlier runs; without it, entries that say no owner are ours by their name and address.
    """

    def __init__(
        self,
        registry: str,
        settings: ZooKeeperSettings,
        layout: Layout,
        owner: str,
        ttl: float,
        *,
        own: OwnSessions | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self._settings, self._layout, self._owner, self._ttl, self._pace = settings, layout, owner, ttl, pace
        self._own = own
        self._standings = Standings(registry, ttl)
        self._has_wish = False
        self._wake = asyncio.Event()
        self._zookeeper: ZooKeeper | None = None
        self._mender: Mender | None = None

    def __repr__(self) -> str:
        return f"<ZooKeeperHolder of {self._owner}: {len(self._standings.wanted)} wanted>"

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand there from now on."""
        self._standings.want(*written(self._layout, self._settings.prefix, entries))
        self._has_wish = True
        self._wake.set()

    def leases(self) -> tuple[LeaseStatus, ...]:
        """Tell how each entry stands."""
        return self._standings.all()

    def trouble(self) -> str | None:
        """Why ZooKeeper cannot be used now."""
        return self._standings.trouble

    async def run(self) -> None:
        """Work until cancelled."""
        tries = 0
        while True:
            try:
                self._zookeeper = self._zookeeper or await self._connect()
            except RegistryError as error:
                self._standings.apart(str(error))
                await asyncio.sleep(self._back_off(tries))
                tries += 1
                continue
            tries = 0
            await self._keep(self._zookeeper)
            self._standings.ended(f"the session with ZooKeeper ended: {self._zookeeper.has_ended}")
            await self._zookeeper.close()
            self._zookeeper = None
            await asyncio.sleep(random.uniform(0, self._pace.spread))  # noqa: S311  others lost theirs at this moment too

    async def close(self, *, keep: bool) -> None:
        """End, after `run` was cancelled: the session with all its nodes, or with `keep` only the connection."""
        if self._zookeeper:
            if not keep and self._mender:
                with contextlib.suppress(ZooKeeperError, TimeoutError):
                    async with asyncio.timeout(self._pace.farewell):
                        await self._mender.leave()
            await self._zookeeper.close(keep=keep)
            self._zookeeper = None
            if not keep:
                self._standings.forget()

    async def _connect(self) -> ZooKeeper:
        zookeeper = await session_of(self._settings, self._ttl, self._wake).__aenter__()
        try:
            await zookeeper.sync()
        except BaseException:
            await zookeeper.close()
            raise
        return zookeeper

    async def _keep(self, zookeeper: ZooKeeper) -> None:
        """Mend for as long as the session lasts."""
        self._standings.begin(session := zookeeper.identity[0])
        own = await self._own.join(session) if self._own else None
        mender = Mender(zookeeper, self._standings, self._layout, self._settings.prefix, self._owner, own)
        self._mender = mender
        async with asyncio.TaskGroup() as group:
            search = group.create_task(self._search(mender))
            touch = group.create_task(self._touch(mender))
            tries = 0
            while not zookeeper.has_ended:
                self._wake.clear()
                tries = 0 if await self._mended(mender, zookeeper) else tries + 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._back_off(tries) if tries else self._pace.refused):
                        await self._wake.wait()
            search.cancel()
            touch.cancel()

    async def _mended(self, mender: Mender, zookeeper: ZooKeeper) -> bool:
        """Mend once; tell whether that went through, or is of no use now."""
        if not zookeeper.is_connected:
            self._standings.apart(f"lost the connection to ZooKeeper at {zookeeper.hosts}")
            return True
        if self._has_wish:
            try:
                await mender.mend()
            except ZooKeeperError as error:
                self._standings.apart(str(error))
                return False
        self._standings.together()
        return True

    async def _search(self, mender: Mender) -> None:
        """Look for what an earlier run left: at once if no wish is known, else when all that is stands there."""
        tries = 0
        while self._standings.may_be_left:
            if not self._has_wish or self._standings.is_whole:
                with contextlib.suppress(ZooKeeperError):
                    await mender.search()
                    if not self._has_wish:
                        await mender.adopt()
                    self._wake.set()
            await asyncio.sleep(self._back_off(tries))
            tries += 1

    async def _touch(self, mender: Mender) -> None:
        """Rewrite nodes that stay, each as often as its entry asks (Nerve's ttl_seconds), until cancelled."""
        due = dict[str, float]()  # by slot
        while True:
            now = time.monotonic()
            wanted = {slot: each for slot, each in self._standings.wanted.items() if each.manner.touch and each.stays}
            due = {slot: due.get(slot, now + each.manner.touch) for slot, each in wanted.items()}
            for slot, each in wanted.items():
                if due[slot] <= now:
                    due[slot] = now + each.manner.touch
                    with contextlib.suppress(ZooKeeperError):  # away: what stands there is looked at when it is back
                        await mender.touch(each)
            await asyncio.sleep(min([1.0, *(moment - now for moment in due.values())]))

    def _back_off(self, tries: int) -> float:
        return min(self._pace.first * 2.0 ** min(tries, 20), self._pace.longest) * random.uniform(0.5, 1.0)  # noqa: S311
