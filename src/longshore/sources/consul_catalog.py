"""All services of a Consul datacenter, whoever registered them: the layout `registrator`.

Two queries are held back, whatever the number of services. The one for the names of all services answers whenever any
service was registered, changed or removed, without saying which: then all are read, a few at a time. The one for all
checks tells whose status is another: only those services are read. A thousand services take a third of a second; a rest
as long as the reading took leaves Consul room for others.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from longshore.clients.consul import ConsulClient
from longshore.clients.consul_faults import not_consul, sees_nothing
from longshore.core.entries import Broken
from longshore.core.layouts import consul
from longshore.sources.consul_rows import Rows
from longshore.sources.consul_telling import Telling
from longshore.sources.registered import Value
from longshore.sources.together import together

AT_ONCE = 8
"""Services that are read at the same time."""

SERVERS = "consul"
"""The service that Consul's own servers are."""


class _Status(NamedTuple):
    node: str
    check: str
    service: str  # the name; "" for a check of the node
    status: str


class _Service(NamedTuple):
    """What was read of a service."""

    body: bytes = b""
    entries: Mapping[str, Value] = {}
    dead: frozenset[str] = frozenset()  # keys of entries whose node is away
    nodes: frozenset[str] = frozenset()


class Catalog:
    """Follows services. Only those of these `names`, if there are any, and with all of these `tags`."""

    def __init__(self, client: ConsulClient, telling: Telling, names: Collection[str], tags: Collection[str]) -> None:
        self._client, self._telling = client, telling
        self._names, self._tags = frozenset(names), frozenset(tags)
        self._there: set[str] = set()  # names of all services that count
        self._read_already: dict[str, _Service] = {}
        self._due: set[str] = set()  # names to be read, again or for the first time
        self._wake = asyncio.Event()
        self._has_checks = asyncio.Event()

    async def follow(self) -> NoReturn:
        """Tell everything, then what is different. Raises ConsulError."""
        await together(self._follow_services(), self._follow_checks(), self._read())

    async def _follow_services(self) -> None:
        path = "catalog/services"
        await self._has_checks.wait()  # so that no change of a check falls in between
        async for body in self._client.follow(path, every=True):
            found = self._client.read(path, body)
            if not isinstance(found, dict):
                raise not_consul(self._client.address, path, body)
            self._there = {name for name, tags in found.items() if self._takes(name, tags)}
            self._due |= self._there | self._read_already.keys()
            self._wake.set()

    def _takes(self, name: str, tags: object) -> bool:
        named = name in self._names if self._names else name != SERVERS
        return named and self._tags <= set(tags if isinstance(tags, list) else ())

    async def _follow_checks(self) -> None:
        path = "health/state/any"
        rows = Rows(_status)
        known: set[_Status] | None = None
        async for body in self._client.follow(path):
            try:
                found = set(rows.take(body))
            except ValueError as error:
                raise not_consul(self._client.address, path, body) from error
            if all(status.service for status in found):
                raise sees_nothing(self._client.address, self._client.has_token)
            if known is not None:
                self._note(found ^ known)
            known = found
            self._has_checks.set()

    def _note(self, different: Collection[_Status]) -> None:
        """Have those services read that these checks are about."""
        names = {status.service for status in different}
        nodes = {status.node for status in different if not status.service}
        for name in self._there:
            service = self._read_already.get(name)
            if name in names or (nodes and (service is None or not nodes.isdisjoint(service.nodes))):
                self._due.add(name)
        if self._due:
            self._wake.set()

    async def _read(self) -> None:
        """Read what is due, and tell all."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            begun = loop.time()
            due, self._due = iter(sorted(self._due)), set()
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._read_each(due))
            services = self._read_already.values()
            entries = {key: value for service in services for key, value in service.entries.items()}
            self._telling.tell(entries, {key for service in services for key in service.dead})
            await asyncio.sleep(loop.time() - begun)

    async def _read_each(self, names: Iterator[str]) -> None:
        for name in names:
            known = self._read_already.get(name, _Service())
            if name not in self._there:
                self._read_already.pop(name, None)
            elif posixpath.normpath(f"/{name}") != f"/{name}":  # Consul takes it, but cannot be asked for it
                broken = Broken(name, "cannot be asked for", "give the service another name")
                self._read_already[name] = known._replace(entries={name: broken})
            else:
                path = f"health/service/{name}"
                body = (await self._client.get(path)).body
                if body != known.body:
                    rows = self._client.read(path, body)
                    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                        raise not_consul(self._client.address, path, body)
                    self._read_already[name] = _service(body, rows)


def _service(body: bytes, rows: list[dict[str, Any]]) -> _Service:
    by_key = {consul.key_of(row): row for row in rows}
    return _Service(
        body,
        {key: consul.read(row) for key, row in by_key.items()},
        frozenset(key for key, row in by_key.items() if consul.is_away(row)),
        frozenset(consul.node_of(row) for row in rows),
    )


def _status(row: dict[str, Any]) -> _Status:
    return _Status(*(str(row.get(key, "")) for key in ("Node", "CheckID", "ServiceName", "Status")))
