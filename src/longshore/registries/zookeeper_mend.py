"""What a registrar does in ZooKeeper in one session: look, write, remove. Only what is in doubt is read:

- everything that is wanted, at first and after the connection broke: a request without an answer may have been done;
- nodes of ours that somebody changed or removed, which watches tell;
- what an earlier run left. A session cannot take over the nodes of another, so each is replaced by one of ours in a
  single transaction: nobody sees the entry twice, or not at all. Entries that nobody wants any more are looked for
  gently, once; they would go by themselves when the old session runs out.

What a session keeps that was never ours is left alone: a Nerve that registers the same service would write its node
again, and ours stands beside it (readers take an address once).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping

from longshore.clients.zookeeper import Node, ZooKeeper
from longshore.clients.zookeeper_faults import NoNodeError, ZooKeeperError, ZooKeeperRefusedError
from longshore.core.entries import Entry
from longshore.core.layouts import Layout, farewell
from longshore.registries.hold import MOST_WRITES
from longshore.registries.zookeeper_standing import Standing, Standings
from longshore.registries.zookeeper_written import Wanted, slot_of, stem_of

LAST_WORD = 0.05  # seconds that the last word of an entry is left to be read
GENTLY = 4  # reads under way together while leftovers are searched for


class Mender:
    """One owner's hand in one session. What it learns and does goes into `standings`. `own` are the sessions of this
    and of earlier runs, None if they are not known.
    """

    def __init__(
        self,
        zookeeper: ZooKeeper,
        standings: Standings,
        layout: Layout,
        prefix: str,
        owner: str,
        own: frozenset[int] | None = None,
    ) -> None:
        self._zookeeper, self._standings, self._own = zookeeper, standings, own
        self._layout, self._prefix, self._owner = layout, prefix, owner
        self._began = zookeeper.newest
        self._writing = asyncio.Semaphore(MOST_WRITES)

    async def mend(self) -> None:
        """Write every difference that there is. Raises ZooKeeperError when the connection breaks."""
        standings = self._standings
        if self._zookeeper.is_blind:
            self._zookeeper.look_anew()
            standings.doubt_all()
        for path, _ in self._zookeeper.changes():
            standings.doubt(path)
        folders = defaultdict[str, set[str]](set)
        for slot in standings.doubtful:
            folders[slot.partition("\0")[0].rpartition("/")[0]].add(slot)
        await _all(self._look(folder, slots) for folder, slots in folders.items())
        odd, superseded = standings.odd()
        await _all([*(self._remove(path) for path in odd), *(self._settle(each) for each in standings.unsettled())])
        await _all(self._remove(path, on_purpose=False) for path in superseded)

    async def leave(self) -> None:
        """Say of everything that it goes on purpose, and remove what the session's end would not. Raises
        ZooKeeperError.
        """
        await _all(self._say_farewell(path) for path in self._standings.values())
        await _all(self._remove(path, on_purpose=False) for path in self._standings.lasting())

    async def touch(self, wanted: Wanted) -> None:
        """Write an entry that stays once more, so that its node looks used. Raises ZooKeeperError."""
        for path, node in self._standings.there.get(wanted.slot, {}).items():
            with contextlib.suppress(ZooKeeperRefusedError):  # it is mended, or said, by others
                await self._zookeeper.set(path, node.value)

    async def search(self) -> None:
        """Find what an earlier run left below the prefix, anywhere. Raises ZooKeeperError."""
        if self._layout.name == "native":
            gently = asyncio.Semaphore(GENTLY)
            services = await self._zookeeper.children(self._prefix)
            await _all(self._search_in(f"{self._prefix}/{service}", gently) for service in services or ())
        else:  # whose an entry is cannot be read: wait until nothing can be left
            await asyncio.sleep(3 * self._standings.ttl)
        self._standings.may_be_left = False

    async def adopt(self) -> None:
        """Keep what an earlier run left, while nobody has said yet what is wanted. Raises ZooKeeperError."""
        await _all(self._adopt(path, node) for path, node in self._standings.strangers())

    async def _adopt(self, path: str, node: Standing) -> None:
        async with self._writing:
            with contextlib.suppress(NoNodeError, ZooKeeperRefusedError):  # it is gone, or stays until it runs out
                new = await self._zookeeper.replace(path, stem_of(path), node.value, sequence=True)
                self._standings.adopted(path, new, node.value)

    async def _search_in(self, folder: str, gently: asyncio.Semaphore) -> None:
        async with gently:
            try:
                for name in await self._zookeeper.children(folder) or ():
                    path = f"{folder}/{name}"
                    if self._standings.knows(stem_of(path)):
                        continue
                    node = await self._zookeeper.get(path)
                    entry = self._read(path, node) if node and self._may_be_left(node) else None
                    if node and entry and entry.owner == self._owner:
                        self._standings.left(path, Standing(node.session, node.value), entry)
            except ZooKeeperRefusedError:
                return  # what we may not read was not written by us

    async def _look(self, folder: str, slots: set[str]) -> None:
        """See what stands in some slots of one folder."""
        found = defaultdict[str, dict[str, Standing]](dict)
        stems = {slot.partition("\0")[0] for slot in slots}
        try:
            for name in await self._zookeeper.children(folder) or ():
                path = f"{folder}/{name}"
                if stem_of(path) not in stems:
                    continue
                node = await self._zookeeper.get(path, watch=True)
                if node and (slot := self._slot(path, node, slots)):
                    found[slot][path] = Standing(node.session, node.value)
        except ZooKeeperRefusedError as error:
            self._standings.refused(slots, str(error))
            return
        for slot in slots:
            self._standings.stand(slot, found[slot])

    def _slot(self, path: str, node: Node, slots: set[str]) -> str:
        """Give which of some slots a node stands in, if it is of this session or of an earlier run; else ""."""
        entry = self._read(path, node)
        stem = stem_of(path)
        shared = slot_of(stem, entry.host, entry.port) if entry else ""
        slot = shared if shared in slots else stem
        if node.session == self._standings.session:
            known = self._standings.slot_at(path)  # whatever somebody made of its value
            return known if known in slots else slot if slot in slots else ""
        return slot if slot in slots and self._is_left(path, node, entry, slot) else ""

    def _is_left(self, path: str, node: Node, entry: Entry | None, slot: str) -> bool:
        """Whether an earlier run left a node in one of our slots, or it stays."""
        wanted = self._standings.wanted.get(slot)
        if not node.session and path in self._standings.there.get(slot, ()):
            return True
        if wanted is not None and not wanted.numbered and path == wanted.stem:  # its name says whose it is
            return not node.session or self._may_be_left(node)
        if entry is None or (node.session and not self._may_be_left(node)):
            return False
        if entry.owner:
            return entry.owner == self._owner
        if self._own is not None and node.session and node.session not in self._own:
            return False  # a Nerve's
        return wanted is not None and (entry.host, entry.port) == (wanted.host, wanted.port)  # Nerve says no owner

    def _may_be_left(self, node: Node) -> bool:
        """Whether an earlier run may have made a node: one of another session, before ours began.

        A later one is somebody's who goes by the same name as we do. Neither then takes anything from the other.
        """
        return bool(node.session) and node.session != self._standings.session and node.made <= self._began

    def _read(self, path: str, node: Node) -> Entry | None:
        folder = path.rpartition("/")[0]
        prefix = self._prefix if path.startswith(f"{self._prefix}/") else folder.rpartition("/")[0]
        entry = self._layout.read(prefix, path, node.value)
        return entry if isinstance(entry, Entry) else None

    async def _settle(self, wanted: Wanted) -> None:
        """Bring one entry to what is wanted: one node of this session, with this value."""
        async with self._writing:
            nodes = self._standings.attempt(wanted)
            try:
                path = await self._write(wanted, nodes)
                for other in nodes.keys() - {path}:
                    await self._zookeeper.delete(other)
            except NoNodeError:  # what we built on is gone
                self._zookeeper.news.set()
                return
            except ZooKeeperRefusedError as error:
                self._standings.refused({wanted.slot}, str(error))
                return
            self._standings.settled(wanted, path)
            with contextlib.suppress(ZooKeeperRefusedError):  # we may write, but not read
                node = await self._zookeeper.get(path, watch=True)
                if node is None or node.value != wanted.value:
                    self._standings.doubt(path)
                    self._zookeeper.news.set()

    async def _write(self, wanted: Wanted, nodes: Mapping[str, Standing]) -> str:
        """Write an entry over what stands there; return the path of its node. Raises NoNodeError."""
        stem, value, ends, numbered = wanted.stem, wanted.value, not wanted.stays, wanted.numbered
        mine = [path for path, node in nodes.items() if self._standings.fits(wanted, path, node)]
        if not mine and nodes:
            return await self._zookeeper.replace(next(iter(nodes)), stem, value, ephemeral=ends, sequence=numbered)
        if not mine:
            return await self._zookeeper.create(stem, value, ephemeral=ends, sequence=numbered)
        if nodes[mine[0]].value != value and not await self._zookeeper.set(mine[0], value):
            raise NoNodeError(f"ZooKeeper has no node {mine[0]}")
        return mine[0]

    async def _remove(self, path: str, *, on_purpose: bool = True) -> None:
        async with self._writing:
            try:
                if on_purpose:
                    await self._say_farewell(path)
                await self._zookeeper.delete(path)
            except ZooKeeperRefusedError as error:
                self._standings.refused({self._standings.slot_at(path)}, str(error))
                return
            self._standings.removed(path)

    async def _say_farewell(self, path: str) -> None:
        """Say of a node of ours that it goes on purpose, and let it be read: watches tell only *that* it changed."""
        value = self._standings.values().get(path)
        last = farewell(self._layout, self._prefix, path, value) if value else None
        if last is not None and await self._zookeeper.set(path, last):
            await asyncio.sleep(LAST_WORD)


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Do it all together, whatever becomes of a part. Raises what matters most: a bug before a fault."""
    results = await asyncio.gather(*work, return_exceptions=True)
    faults = [result for result in results if isinstance(result, BaseException)]
    if faults:
        raise min(faults, key=lambda fault: isinstance(fault, ZooKeeperError))
