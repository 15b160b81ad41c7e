"""How entries are spelled in registries: one layout for each program that writes them. All reading ends here.

`Layout.read` takes whatever stands at a key and gives an entry, a setting, nothing, or a `Broken` that says in words
what is wrong; it never raises. Consul's catalog has no bytes to read: see `layouts.consul`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from longshore.core.entries import Broken, Entry, Read, is_copy
from longshore.core.layouts import docker_register, native, nerve, registrator, serverset, skydns2
from longshore.core.layouts.payload import UnreadableError

Write = Callable[[str, Entry], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One spelling. `write` is None where only others write; it raises ValueError for ids that cannot stand in a key.

    `also` gives a further key that belongs to an entry, or None: docker-register's port of the service. `listens` is
    that key's name, where services cannot be reached without it.
    """

    name: str
    reader: Callable[[str, str, bytes], Read]
    write: Write | None = None
    also: Callable[[str, Entry], tuple[str, bytes] | None] | None = None
    listens: str = ""

    def read(self, prefix: str, key: str, value: bytes) -> Read:
        """Read what stands at a key."""
        try:
            return self.reader(prefix, key, value)
        except UnreadableError as error:
            return Broken(key, str(error), error.hint)


LAYOUTS: dict[str, Layout] = {
    "native": Layout("native", native.read, native.write),
    "nerve": Layout("nerve", nerve.read, nerve.write),
    "serverset": Layout("serverset", serverset.read),
    "registrator": Layout("registrator", registrator.read, registrator.write),
    "consulkv": Layout("consulkv", registrator.read, registrator.write),
    "skydns2": Layout("skydns2", skydns2.read, skydns2.write),
    "docker-register": Layout(
        "docker-register",
        docker_register.read,
        docker_register.write,
        docker_register.write_port,
        listens=docker_register.PORT,
    ),
}


NODES = Layout("registrator", registrator.read, registrator.write_node)
"""What registrator writes into ZooKeeper."""


def farewell(layout: Layout, prefix: str, key: str, value: bytes) -> bytes | None:
    """Give the value that says of an entry that it is about to be removed; None where nothing can say so.

    A copy says nothing: that it goes tells nothing of the endpoint, whose original may stand beside it.
    """
    entry = layout.read(prefix, key, value)
    if layout.name != "native" or layout.write is None or not isinstance(entry, Entry) or entry.status:
        return None
    if is_copy(entry):
        return None
    return layout.write(prefix, replace(entry, status="leaving"))[1]


def layout_of(name: str, *, endpoint: str = "", path_encoding: bool = False, etcd: bool = False) -> Layout:
    """The layout that a source's section describes: `endpoint` is serverset's, `path_encoding` and `etcd` nerve's."""
    if name == "serverset":
        return Layout(name, partial(serverset.read, endpoint=endpoint))
    if name == "nerve" and etcd:
        return Layout(name, nerve.read_etcd, nerve.write_etcd)
    if name == "nerve" and path_encoding:
        return Layout(name, nerve.read, partial(nerve.write, encoded=True))
    return LAYOUTS[name]
