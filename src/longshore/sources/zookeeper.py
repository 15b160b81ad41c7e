"""The source `zookeeper`: the nodes below a prefix, read once and then followed by watches, never polled.

A watch fires once and says little: which node, and whether its value or its children are others. So each one is
answered by reading that node again, with a new watch, and nothing else is. What an answer changes is told in one go:
an entry that moves from one node to another (its registrar has a new session) is never away.

What the values mean is the layout's to say; what the loop around does, `sources.registered`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from longshore.clients.zookeeper import Change, ZooKeeper
from longshore.clients.zookeeper_connect import ZooKeeperSettings, session_of
from longshore.sources.registered import Sink
from longshore.sources.zookeeper_tree import Batch, Tree


@dataclass(frozen=True, slots=True)
class Pace:
    """Times, in seconds."""

    session: float = 10.0  # a server that falls silent is noticed after two thirds of it
    again: float = 30.0  # between attempts to read a node that we may not read
    compare: float = 300.0  # between listings of all folders: servers keep from us the events of what we may not read


class ZooKeeperAdapter:
    """What stands below some paths of one ensemble, to read from; by default below the source's prefix."""

    def __init__(
        self,
        settings: ZooKeeperSettings,
        roots: Sequence[str] = (),
        pace: Pace = Pace(),
    ) -> None:
        self._settings = settings
        self._roots = tuple(roots or (settings.prefix,))
        self._pace = pace

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` what stands there, then what changes. Raises ZooKeeperError when that breaks."""
        async with session_of(self._settings, self._pace.session) as zookeeper:
            await zookeeper.sync()  # the server that took us may be behind the one we had before
            tree = Tree(zookeeper, self._roots)
            sink.replace((await tree.read()).found)
            sink.published()
            clock = asyncio.get_running_loop().time
            retry, compare = clock() + self._pace.again, clock() + self._pace.compare
            while True:
                if clock() >= compare:
                    tree.doubt()
                    compare = clock() + self._pace.compare
                if clock() >= retry:
                    tell(sink, await tree.retry())
                    retry = clock() + self._pace.again
                changes = await self._changes(zookeeper, tree, min(compare, retry if tree.unreadable else compare))
                tell(sink, await tree.follow(changes))

    async def _changes(self, zookeeper: ZooKeeper, tree: Tree, until: float) -> list[tuple[str, Change]]:
        """Wait for something to follow, at most until that time."""
        if tree.is_doubtful:
            return zookeeper.changes()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                return await zookeeper.changed()
        return []


def tell(sink: Sink, batch: Batch) -> None:
    """Hand on what was read in one go."""
    for path in batch.gone:
        sink.delete(path)
    for path, value in batch.found.items():
        sink.put(path, value)
    sink.published()
