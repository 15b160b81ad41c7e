"""What is known of the nodes below some paths, and what must be read to know it again.

Nodes without children are entries; those with children are folders, whatever is written in them. Everything that is
known is watched: the value of each node, and the children of each that can have any (ephemeral ones cannot).

Why nothing is missed: ZooKeeper sends the event of a watch before any answer that shows the change, and the client
keeps that order. A watch that fired is forgotten here, and so the node is read again, and watched again. A node that
was removed is asked of its folder: if its name still stands there, it is a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from longshore.clients.zookeeper import Change, Node, ZooKeeper
from longshore.clients.zookeeper_faults import ZooKeeperRefusedError
from longshore.core.entries import Broken

DEEPEST = 6  # levels below a path; Nerve's custom needs three
ENCODED = "base64_"  # Nerve writes entries into the names of such nodes: there is nothing to read in them

Value = bytes | Broken


class Batch:
    """What one round of reading changes: entries that are new or different, and nodes that are no entries any more."""

    def __init__(self) -> None:
        self.found = dict[str, Value]()
        self.gone = set[str]()
        self.values = dict[str, bytes]()  # of nodes that may be folders

    def put(self, path: str, value: Value) -> None:
        """Note an entry."""
        self.gone.discard(path)
        self.found[path] = value

    def drop(self, path: str) -> None:
        """Note that this is no entry, whether or not it was one."""
        self.found.pop(path, None)
        self.gone.add(path)


class Tree:
    """The nodes below `roots`, which need not be there yet. `unreadable` are those that we are not allowed to read."""

    def __init__(self, zookeeper: ZooKeeper, roots: Sequence[str]) -> None:
        self.unreadable = set[str]()
        self._zookeeper = zookeeper
        self._roots = _outermost(roots)
        self._floor = max(root.count("/") for root in self._roots) + DEEPEST
        self._names = dict[str, set[str]]()  # folder -> names in it when it was last listed
        self._watched = set[str]()  # nodes whose value is watched, or cannot change
        self._listed = set[str]()  # folders whose children are watched
        self._doubtful = set[str]()  # folders that changed while they were read
        self._missing = set[str]()  # roots to be looked for

    @property
    def is_doubtful(self) -> bool:
        """Whether `follow` has something to read without any event."""
        return bool(self._doubtful)

    def doubt(self) -> None:
        """Have `follow` list every folder again."""
        self._doubtful.update(self._names)

    async def read(self) -> Batch:
        """Read everything. Raises ZooKeeperError, also when a root may not be read."""
        batch = Batch()
        self._missing.update(self._roots)
        await self._read([], [], batch)
        return batch

    async def retry(self) -> Batch:
        """Read again what we were not allowed to read."""
        batch = Batch()
        retried, self.unreadable = self.unreadable, set()
        await self._read(list(retried), [], batch)
        return batch

    async def follow(self, changes: Iterable[tuple[str, Change]]) -> Batch:
        """Read again what watches said is different. Raises ZooKeeperError."""
        batch = Batch()
        nodes = set[str]()
        folders, self._doubtful = self._doubtful, set()
        for path, change in changes:
            if change == "children":
                self._listed.discard(path)
                folders.add(path)
            elif change == "value":
                nodes.add(path)
            elif path in self._watched or path in self._listed:
                self._watched.discard(path)
                self._listed.discard(path)
                folders.add(path if path in self._roots else _parent(path))
        self._missing |= nodes.intersection(self._roots)
        nodes = nodes.intersection(self._watched).difference(self._roots)
        await self._read(list(nodes), [path for path in folders if path in self._names], batch)
        return batch

    async def _read(self, nodes: list[str], folders: list[str], batch: Batch) -> None:
        """Read nodes and list folders, and then what is new in them, level by level."""
        while nodes or folders or self._missing:
            missing, self._missing = self._missing, set()
            for root in missing:
                if await self._zookeeper.exists(root, watch=True):
                    self._watched.add(root)
                    folders.append(root)
            read, listed = await asyncio.gather(
                self._zookeeper.get_all(nodes, watch=True), self._zookeeper.children_all(folders, watch=True)
            )
            maybe = [path for path, node in zip(nodes, read, strict=True) if self._node(path, node, batch)]
            inside = [self._folder(path, names, batch) for path, names in zip(folders, listed, strict=True)]
            nodes, folders = [path for each in inside for path in each], maybe

    def _node(self, path: str, node: Node | ZooKeeperRefusedError | None, batch: Batch) -> bool:
        """Take in what was read of a node; tell whether it may be a folder that is to be listed."""
        if not self._is_listed(path) or path in self._roots:
            return False
        if isinstance(node, ZooKeeperRefusedError):
            self._not_allowed(path, node, batch)
            return False
        if node is None:
            self._watched.discard(path)
            self._doubtful.add(_parent(path))
            return False
        self._watched.add(path)
        self.unreadable.discard(path)
        if not node.session and path not in self._listed and path.count("/") < self._floor:
            batch.values[path] = node.value
            return True
        if not self._names.get(path):
            batch.put(path, node.value)
        return False

    def _folder(self, path: str, names: list[str] | ZooKeeperRefusedError | None, batch: Batch) -> list[str]:
        """Take in what is in a folder: forget what is gone; return what is new, or to be read again."""
        if not self._is_listed(path):
            return []
        if isinstance(names, ZooKeeperRefusedError):
            if path in self._roots:
                raise names
            self._not_allowed(path, names, batch)
            return []
        if names is None:
            self._forget(path, batch)
            self._missing.update({path}.intersection(self._roots))
            return []
        gone = self._names.get(path, set()).difference(names)
        self._names[path] = set(names)
        self._listed.add(path)
        new = [each for each in _inside(path, names) if each not in self._watched]
        for each in (*_inside(path, gone), *new):
            self._forget(each, batch)
        if names:
            batch.drop(path)
        elif path in batch.values:
            batch.put(path, batch.values[path])
        elif gone and path not in self._roots:  # a folder no more
            return [path]
        encoded = [each for each in new if each.rpartition("/")[2].startswith(ENCODED)]
        for each in encoded:
            self._watched.add(each)
            batch.put(each, b"")
        return [each for each in new if each not in self._watched]

    def _is_listed(self, path: str) -> bool:
        """Whether a node stands in its folder as far as that is known; else it will be told with its folder."""
        return path in self._roots or path.rpartition("/")[2] in self._names.get(_parent(path), ())

    def _forget(self, path: str, batch: Batch) -> None:
        for child in _inside(path, self._names.pop(path, ())):
            self._forget(child, batch)
        self._watched.discard(path)
        self._listed.discard(path)
        self.unreadable.discard(path)
        batch.drop(path)

    def _not_allowed(self, path: str, error: ZooKeeperRefusedError, batch: Batch) -> None:
        if self._is_listed(path):
            self.unreadable.add(path)
            batch.put(path, Broken(path, error.what, error.hint))


def _outermost(roots: Sequence[str]) -> tuple[str, ...]:
    """Leave out what stands below another root."""
    found = list[str]()
    for root in sorted({f"/{root.strip('/')}" for root in roots}):
        if not any(root.startswith(f"{above.rstrip('/')}/") for above in found):
            found.append(root)
    return tuple(found)


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _inside(folder: str, names: Iterable[str]) -> list[str]:
    return [f"{folder.rstrip('/')}/{name}" for name in names]
