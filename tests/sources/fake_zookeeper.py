"""A ZooKeeper in memory, for one client: nodes, watches, and the order in which a real server tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from longshore.clients.zookeeper import Change, Node
from longshore.clients.zookeeper_faults import ZooKeeperRefusedError
from longshore.sources.zookeeper_tree import ENCODED, Value

T = TypeVar("T")


class Fake:
    """A server with one client: it does what it is asked in order, and tells events before what is asked after them.

    `between` is called before each request is done, so that things happen while others are read.
    """

    def __init__(self, between: Callable[[], None] = lambda: None) -> None:
        self.nodes: dict[str, tuple[bytes, int]] = {"/": (b"", 0)}  # path -> value, session
        self.closed = set[str]()  # may not be read
        self.requests = list[str]()
        self.events = dict[tuple[str, Change], None]()
        self._between = between
        self._values, self._folders = set[str](), set[str]()

    def put(self, path: str, value: bytes = b"x", session: int = 0) -> None:
        """Make a node, and those above it, or change its value."""
        above = path.rpartition("/")[0]
        if path not in self.nodes:
            if above and above not in self.nodes:
                self.put(above, b"")
            if self.nodes.get(above or "/", (b"", 1))[1]:
                return  # ephemeral nodes have no children
            self.nodes[path] = (value, session)
            self._fire(self._folders, above or "/", "children")
        else:
            self.nodes[path] = (value, self.nodes[path][1])
        self._fire(self._values, path, "value")

    def delete(self, path: str) -> None:
        """Remove a node and all below it."""
        for each in [each for each in self.nodes if each.startswith(f"{path}/")]:
            if each in self.nodes:
                self.delete(each)
        if self.nodes.pop(path, None):
            if path in self._values | self._folders:
                self.events[path, "gone"] = None
            self._values.discard(path)
            self._folders.discard(path)
            self._fire(self._folders, path.rpartition("/")[0] or "/", "children")

    def entries(self, *roots: str) -> dict[str, Value]:
        """What an adapter should know: nodes below the roots that have no children, without empty folders."""
        leaves = [path for path in self.nodes if not any(each.startswith(f"{path}/") for each in self.nodes)]
        below = [path for path in leaves if any(path.startswith(f"{root}/") for root in roots)]
        return entries({path: b"" if ENCODED in path else self.nodes[path][0] for path in below})

    async def exists(self, path: str, *, watch: bool) -> bool:
        self._ask("exists", path)
        self._values.add(path)
        return await self._answer(path in self.nodes)

    async def get_all(self, paths: Sequence[str], *, watch: bool) -> list[Node | ZooKeeperRefusedError | None]:
        return [await self._answer(self._get(path)) for path in paths]

    async def children_all(
        self, paths: Sequence[str], *, watch: bool
    ) -> list[list[str] | ZooKeeperRefusedError | None]:
        return [await self._answer(self._children(path)) for path in paths]

    def _get(self, path: str) -> Node | ZooKeeperRefusedError | None:
        self._ask("get", path)
        if path not in self.nodes or path in self.closed:
            return self._absent(path, "read")
        self._values.add(path)
        value, session = self.nodes[path]
        return Node(value, session, 0)

    def _children(self, path: str) -> list[str] | ZooKeeperRefusedError | None:
        self._ask("children", path)
        if path not in self.nodes or path in self.closed:
            return self._absent(path, "list")
        self._folders.add(path)
        inside = f"{path.rstrip('/')}/"
        names = [each[len(inside) :] for each in self.nodes if each.startswith(inside) and each != "/"]
        return [name for name in names if "/" not in name]

    def _absent(self, path: str, what: str) -> ZooKeeperRefusedError | None:
        if path not in self.nodes:
            return None
        return ZooKeeperRefusedError(f"ZooKeeper does not allow to {what} {path}", "hint")

    def changes(self) -> list[tuple[str, Change]]:
        """What watches said since the last call."""
        found, self.events = list(self.events), {}
        return found

    def _fire(self, watches: set[str], path: str, change: Change) -> None:
        if path in watches:
            watches.discard(path)
            self.events[path, change] = None

    def _ask(self, what: str, path: str) -> None:
        self._between()
        self.requests.append(f"{what} {path}")

    async def _answer(self, answer: T) -> T:
        await asyncio.sleep(0)
        self._between()  # after the answer left, before it is taken in
        return answer


def entries(found: Mapping[str, Value]) -> dict[str, Value]:
    """Leave out empty folders, which no layout takes for entries."""
    return {path: value for path, value in found.items() if value or ENCODED in path}
