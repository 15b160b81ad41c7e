"""The source `consul`: what is registered at any agent of a datacenter, or stands in its key-value store.

Consul tells no single changes. A query can be held back until something is different, and then answers with all it is
about. An agent takes 200 connections from one address, so there cannot be such a query for each service:

    native       one, for all checks: those of ours carry the whole entry, so that one answer is everything
    registrator  two, for the names of all services and for all checks: see `consul_catalog`
    consulkv     one, for all keys beneath the prefix

An entry whose TTL ran out (its check is critical) counts as gone, and so do all on a node that its neighbours cannot
reach: Consul itself would keep them for a minute, or three days. Any other critical check, or maintenance, only keeps
the traffic away. Right after an outage of Consul neither is believed at once: without a leader registrars cannot renew.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

from longshore.clients.consul import ConsulClient, Patience
from longshore.clients.consul_connect import ConsulSettings, client_of
from longshore.clients.consul_faults import not_consul, sees_nothing
from longshore.core.entries import Broken, Entry
from longshore.core.layouts import consul
from longshore.sources.consul_catalog import Catalog
from longshore.sources.consul_rows import Rows
from longshore.sources.consul_telling import Telling
from longshore.sources.registered import Sink, Value
from longshore.sources.together import together

T = TypeVar("T")
CHECKS = "health/state/any"
OURS = f'ServiceID == "" or "{consul.OURS}" in ServiceTags'


class SourceSettings(ConsulSettings, Protocol):
    """What is read of a source `consul` in the configuration."""

    @property
    def layout(self) -> str: ...  # noqa: D102  the names say it
    @property
    def prefix(self) -> str: ...  # noqa: D102
    @property
    def tags(self) -> Collection[str]: ...  # noqa: D102


class ConsulAdapter:
    """One datacenter, to read from. Of `registrator`'s layout only the services of these `names`, if any are given."""

    def __init__(
        self,
        settings: SourceSettings,
        names: Collection[str] = (),
        patience: Patience = Patience(),  # noqa: B008  frozen
        grace: float = 10.0,
    ) -> None:
        self._settings, self._names, self._patience, self._grace = settings, names, patience, grace
        self._told: dict[str, Value] = {}

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` what is registered, then what changes. Raises ConsulError when that breaks."""
        telling = Telling(sink, self._told, self._grace)
        async with client_of(self._settings, self._patience) as client:
            match self._settings.layout:
                case "native":
                    work = self._checks(client, telling)
                case "consulkv":
                    work = self._keys(client, telling)
                case _:
                    work = Catalog(client, telling, self._names, self._settings.tags).follow()
            await together(client.watch_leader(), telling.settle(), work)

    async def _checks(self, client: ConsulClient, telling: Telling) -> None:
        """Follow the entries of longshore's registrars."""
        datacenter = self._settings.datacenter or ""
        rows = Rows(lambda row: _check(row, datacenter))
        async for body in client.follow(CHECKS, {"filter": OURS}):
            found = _rows(client, CHECKS, rows, body)
            if not any(check.is_nodes for check in found):
                raise sees_nothing(client.address, client.has_token)
            telling.tell(*_entries(found))

    async def _keys(self, client: ConsulClient, telling: Telling) -> None:
        """Follow what stands under the prefix."""
        path = f"kv/{self._settings.prefix.strip('/')}/"
        await client.get(path)  # says what is not permitted, where a list would look empty
        rows = Rows(_pair)
        async for body in client.follow(path, {"recurse": "true"}):
            telling.tell(dict(_rows(client, path, rows, body)))


class _Check(NamedTuple):
    """A check as far as it counts: of a service, or with `service` "" of its node."""

    node: str
    service: str
    id: str
    critical: bool
    value: Entry | Broken | None  # of a check that keeps an entry

    @property
    def is_nodes(self) -> bool:
        """Whether it is about a node."""
        return not self.service


def _check(row: dict[str, Any], datacenter: str) -> _Check:
    node, service, identity = (str(row.get(key, "")) for key in ("Node", "ServiceID", "CheckID"))
    value = consul.kept(row, datacenter)
    return _Check(node, service, identity, row.get("Status") == "critical", value)


def _entries(checks: list[_Check]) -> tuple[dict[str, Value], set[str]]:
    """Give the entries by key, and the keys of those that nobody keeps."""
    bad = {(check.node, check.service) for check in checks if check.critical and check.value is None}
    away = {check.node for check in checks if check.critical and check.id == consul.ALIVE}
    found, dead = dict[str, Value](), set[str]()
    for check in checks:
        if check.value is None:
            continue
        key, value = f"{check.node}/{check.service}", check.value
        leaves = isinstance(value, Entry) and value.status == "leaving"
        ill = bool(bad) and not bad.isdisjoint(((check.node, ""), (check.node, check.service)))
        if (check.critical and not leaves) or check.node in away:
            dead.add(key)
        elif isinstance(value, Entry) and ill and not leaves:
            value = replace(value, status="critical")
        found[key] = value
    return found, dead


def _pair(row: dict[str, Any]) -> tuple[str, Value]:
    return str(row["Key"]), b64decode(row.get("Value") or "")


def _rows(client: ConsulClient, path: str, rows: Rows[T], body: bytes) -> list[T]:
    try:
        return rows.take(body)
    except (ValueError, KeyError, TypeError) as error:
        raise not_consul(client.address, path, body) from error
