"""Registering in Consul's key-value store: keys that one session has acquired, and that go when it ends.

Two loops share a client, as in etcd. One renews the session. The other compares what stands there with what is wanted,
and writes the difference. The session is found again by its name after a restart, and with it exactly the keys that are
ours. A key that another session holds is never written; one that nobody holds was written by a registrator.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from longshore.clients import consul_sessions as sessions
from longshore.clients.consul import ConsulClient, Patience
from longshore.clients.consul_connect import ConsulSettings, client_of
from longshore.clients.consul_faults import ConsulError, DeniedError
from longshore.clients.consul_sessions import SessionGoneError
from longshore.core.entries import Entry
from longshore.core.layouts import Layout
from longshore.registries.consul import Pace
from longshore.registries.etcd_standing import Standings, Wanted, written
from longshore.registries.hold import MOST_WRITES, LeaseStatus


class KVSettings(ConsulSettings, Protocol):
    """What is read of a source `consul` in the configuration."""

    @property
    def prefix(self) -> str: ...  # noqa: D102  the name says it


@dataclass(slots=True)
class Session:
    """The session, as far as we know it. `ttl` is in seconds."""

    ttl: float
    id: str = ""  # "" while there is none
    lost: int = 0  # how often it ran out while we held it
    until: float = 0.0  # monotonic
    strange: frozenset[bytes] = frozenset()  # of etcd's leases: nobody else has the session

    @property
    def expired(self) -> float:
        """Seconds since it must have run out, by our clock; 0 while it lives."""
        return max(0.0, time.monotonic() - self.until)


class ConsulKVHolder:
    """Keeps one owner's entries under one prefix (`registries.hold.Holder`). `registry` is the source's name."""

    def __init__(
        self,
        registry: str,
        settings: KVSettings,
        layout: Layout,
        owner: str,
        ttl: float,
        *,
        patience: Patience = Patience(),  # noqa: B008  frozen
        pace: Pace = Pace(),  # noqa: B008  frozen
    ) -> None:
        self._settings, self._layout, self._owner = settings, layout, owner
        self._patience, self._pace = patience, pace
        self._prefix = settings.prefix.strip("/")
        self._name = f"longshore {owner} {self._prefix}"
        self._session = Session(max(sessions.LEAST_TTL, ttl))
        self._there: dict[bytes, bytes] = {}
        self._standings = Standings(registry, self._session)
        self._wanted: dict[bytes, Wanted] | None = None
        self._asked = False
        self._wake = asyncio.Event()
        self._writing = asyncio.Semaphore(MOST_WRITES)

    def __repr__(self) -> str:
        return f"<ConsulKVHolder of {self._owner}: {len(self._wanted or ())} wanted>"

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand there from now on."""
        wanted, unwritable = written(self._layout, self._prefix, entries)
        self._standings.want(wanted, unwritable, self._there)
        self._wanted = wanted
        self._wake.set()

    def leases(self) -> tuple[LeaseStatus, ...]:
        """Tell how each entry stands."""
        return self._standings.all()

    def trouble(self) -> str | None:
        """Why Consul cannot be used now."""
        return (self._standings.unwritten or self._standings.unreachable) if self._asked else None

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._client() as client, asyncio.TaskGroup() as group:
            group.create_task(self._renew(client))
            group.create_task(self._write(client))

    async def close(self, *, keep: bool) -> None:
        """End, after `run` was cancelled: withdraw everything, or leave it a whole TTL to be adopted."""
        if not self._session.id:
            return
        try:
            async with asyncio.timeout(self._pace.farewell), self._client() as client:
                if keep:
                    await sessions.renew(client, self._session.id)
                    return
                await sessions.destroy(client, self._session.id)
        except SessionGoneError:
            pass
        except (ConsulError, TimeoutError) as error:
            self._standings.unwritten = str(error) or "Consul took too long to withdraw"
            return
        self._forget()
        self._standings.forget()

    def _client(self) -> ConsulClient:
        return client_of(self._settings, self._patience)

    async def _renew(self, client: ConsulClient) -> None:
        """Keep the session alive, also that of an earlier run that we have no wish for yet."""
        tries = 0
        while True:
            due = self._session.ttl / 3 * random.uniform(0.8, 1.0)  # noqa: S311
            try:
                if self._session.id or await self._adopt(client):
                    asked = time.monotonic()
                    await sessions.renew(client, self._session.id, max(1.0, self._session.ttl / 2))
                    self._session.until = asked + self._session.ttl
                self._standings.unreachable, tries = "", 0
            except SessionGoneError:
                self._forget()
                self._wake.set()
            except ConsulError as error:
                self._standings.unreachable = str(error)
                due = min(due, self._back_off(tries))
                tries += 1
            self._asked = True
            await asyncio.sleep(due)

    async def _write(self, client: ConsulClient) -> None:
        tries = lost = 0
        while True:
            self._wake.clear()
            rest = self._pace.compare
            try:
                if self._wanted is not None:
                    if self._session.lost > lost:  # so did many others', at the same moment
                        lost = self._session.lost
                        await asyncio.sleep(random.uniform(0, self._pace.spread))  # noqa: S311
                    await self._mend(client)
                    rest = self._session.ttl if self._standings.any_refused else rest
                    self._standings.unwritten, tries = "", 0
            except SessionGoneError:
                self._forget()
                rest = self._back_off(tries)
                tries += 1
            except ConsulError as error:
                self._standings.unwritten = str(error)
                rest = self._back_off(tries)
                tries += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._wake.wait()

    async def _adopt(self, client: ConsulClient) -> bool:
        """Find the session that an earlier run left."""
        found = await sessions.find(client, self._name)
        if found and not self._session.id:
            self._session.id, self._session.until = found, time.monotonic() + self._session.ttl
        return bool(self._session.id)

    async def _mend(self, client: ConsulClient) -> None:
        """Write every difference. Raises ConsulError."""
        if not self._session.id and not await self._adopt(client):
            asked = time.monotonic()
            self._session.id = await sessions.create(client, self._name, self._session.ttl)
            self._session.until = asked + self._session.ttl
        pairs = await sessions.pairs(client, f"{self._prefix}/")
        self._there = {k.encode(): pair.value for k, pair in pairs.items() if pair.session == self._session.id}
        wanted = self._wanted or {}
        self._standings.found(self._there, wanted, self._layout, self._prefix)
        work: list[Awaitable[None]] = [self._delete(client, key) for key in self._there if key not in wanted]
        work += [self._put(client, each) for key, each in wanted.items() if self._there.get(key) != each.value]
        await _all(work)

    async def _put(self, client: ConsulClient, wanted: Wanted) -> None:
        async with self._writing:
            try:
                taken = await sessions.acquire(client, wanted.written, wanted.value, self._session.id)
            except DeniedError as error:
                self._standings.refused(wanted, str(error))
                return
        if not taken:
            self._standings.refused(wanted, f"another session holds {wanted.written}")
            return
        self._there[wanted.key] = wanted.value
        self._standings.held(wanted)

    async def _delete(self, client: ConsulClient, key: bytes) -> None:
        async with self._writing:
            await client.delete(key.decode())
        self._there.pop(key, None)
        self._standings.withdrawn(key)

    def _forget(self) -> None:
        """Know that the session ran out, and with it all that stood there."""
        self._session.lost += bool(self._session.id)
        self._session.id, self._session.until = "", min(self._session.until, time.monotonic())
        self._there = {}

    def _back_off(self, tries: int) -> float:
        return min(self._pace.first * 2.0 ** min(tries, 20), self._pace.longest) * random.uniform(0.5, 1.0)  # noqa: S311


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Do all of it, also what comes after a failure; then raise the one that matters: a bug, then a lost session."""
    results = await asyncio.gather(*work, return_exceptions=True)
    faults = [result for result in results if isinstance(result, BaseException)]
    if faults:
        raise min(faults, key=lambda fault: (isinstance(fault, ConsulError), not isinstance(fault, SessionGoneError)))
