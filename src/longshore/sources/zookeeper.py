"""The source `zookeeper`: the nodes below a prefix, read once and then followed by watches, never polled.

A watch fires once and says little: which node, and whether its value or its children are others. So each one is
answered by reading that node again, with a new watch, and nothing else is. What an answer changes is told in one go:
an entry that moves from one node to another (its registrar has a new session) is never away.

What the values mean is the layout's to say; what the loop around does, `sources.registered`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from longshore.clients.zookeeper import ZooKeeper
from longshore.clients.zookeeper_connect import ZooKeeperSettings, session_of
from longshore.sources.registered import Sink
from longshore.sources.zookeeper_tree import Batch, Tree


@dataclass(frozen=True, slots=True)
class Pace:
    """Times, in seconds."""

    session: float = 10.0  # a server that falls silent is noticed after two thirds of it
    again: float = 30.0  # between attempts to read a node that we may not read


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
        self._due = 0.0  # when to try again what we may not read, by the event loop's clock

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` what stands there, then what changes. Raises ZooKeeperError when that breaks."""
        async with session_of(self._settings, self._pace.session) as zookeeper:
            await zookeeper.sync()  # the server that took us may be behind the one we had before
            tree = Tree(zookeeper, self._roots)
            sink.replace((await tree.read()).found)
            sink.published()
            while True:
                tell(sink, await self._next(zookeeper, tree))

    async def _next(self, zookeeper: ZooKeeper, tree: Tree) -> Batch:
        """Wait for something to change, and read it."""
        if tree.is_doubtful:
            return await tree.follow(zookeeper.changes())
        try:
            async with asyncio.timeout_at(self._due if tree.unreadable else None):
                changes = await zookeeper.changed()
        except TimeoutError:
            self._due = asyncio.get_running_loop().time() + self._pace.again
            return await tree.retry()
        return await tree.follow(changes)


def tell(sink: Sink, batch: Batch) -> None:
    """Hand on what was read in one go."""
    for path in batch.gone:
        sink.delete(path)
    for path, value in batch.found.items():
        sink.put(path, value)
    sink.published()
