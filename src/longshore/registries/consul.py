"""Registering in Consul: services of the local agent, each with a TTL check, mended until they are what is wanted.

Two loops share a client. One renews every check, a third of the TTL apart. The other compares what stands at the agent
with what is wanted, writes the difference, and looks whether it arrives in the catalog, where everybody else looks; it
wakes when something else is wanted, when a check is gone (the agent was restarted), and now and then by itself.

Consul has no write under a condition, so what stands at an ID is looked at before it is written: services of others are
never replaced. An agent forgets to tell the catalog what changed while there was no leader, for a minute or more; then
it is told once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from longshore.clients.consul import ConsulClient, Patience
from longshore.clients.consul_connect import ConsulSettings, client_of
from longshore.clients.consul_faults import CheckGoneError, ConsulError, DeniedError, not_consul
from longshore.core.entries import COPY, Entry
from longshore.core.layouts import consul
from longshore.registries.consul_spelling import NATIVE, Spelling
from longshore.registries.consul_standing import Standings, Wanted, written
from longshore.registries.hold import MOST_WRITES, LeaseStatus

T = TypeVar("T")
HIDDEN = "the agent has it, but the catalog does not show it (may the token read its node?)"
FEW = 4
"""New entries that are written before all that stands at the agent is looked at."""
KEPT = f'Name == "{consul.KEPT}"'


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done, in seconds."""

    first: float = 0.1  # before the first new try after a failure, doubled each time …
    longest: float = 5.0  # … up to this
    compare: float = 30.0  # between looks at what really stands there
    spread: float = 1.0  # what an agent lost is registered anew within this time, each registrar at its own moment
    arrival: float = 3.0  # until what does not arrive in the catalog is told once more
    linger: float = 1.0  # from saying that an entry goes to removing it, so that nobody misses that it was meant
    farewell: float = 10.0  # longest time to withdraw everything at the end


class ConsulHolder:
    """Keeps one owner's services at one agent (`registries.hold.Holder`).

    `registry` is the source's name, `ttl` the seconds that entries outlive us. `cleanup` is the name of this host, if
    what another registrator left of it is to be removed.
    """

    def __init__(
        self,
        registry: str,
        settings: ConsulSettings,
        owner: str,
        ttl: float,
        *,
        spelling: Spelling = NATIVE,
        cleanup: str = "",
        patience: Patience = Patience(),  # noqa: B008  frozen
        pace: Pace = Pace(),
    ) -> None:
        self._settings, self._owner, self._ttl = settings, owner, ttl
        self._patience, self._pace, self._spelling = patience, pace, spelling
        self._standings = Standings(registry, owner, ttl, spelling, cleanup)
        self._wake = asyncio.Event()
        self._seen = asyncio.Event()  # set once what stands at the agent is known
        self._writing = asyncio.Semaphore(MOST_WRITES)

    def __repr__(self) -> str:
        return f"<ConsulHolder of {self._owner}: {len(self._standings.wanted or ())} wanted>"

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand there from now on."""
        self._standings.want(*written(entries, self._ttl, self._spelling))
        self._wake.set()

    def leases(self) -> tuple[LeaseStatus, ...]:
        """Tell how each entry stands."""
        return self._standings.all()

    def trouble(self) -> str | None:
        """Why the agent cannot be used now."""
        return self._standings.trouble or ("" if self._seen.is_set() else None)

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._client() as client, asyncio.TaskGroup() as group:
            group.create_task(self._renew(client))
            group.create_task(self._write(client))

    async def close(self, *, keep: bool) -> None:
        """End, after `run` was cancelled: withdraw everything, or leave it a whole TTL to be adopted."""
        if self._standings.wanted is None:
            return
        try:
            async with (
                asyncio.timeout(self._pace.farewell),
                client_of(self._settings, self._patience, here=True) as client,
            ):
                await self._look(client)
                if keep:
                    await self._renew_all(client)
                    return
                await _all(self._leave(client, key) for key in list(self._standings.ours))
                await asyncio.sleep(self._pace.linger if self._standings.ours else 0.0)
                await _all(self._deregister(client, key) for key in list(self._standings.ours))
        except (ConsulError, TimeoutError) as error:
            self._standings.trouble = str(error) or "Consul took too long to withdraw"
            return
        self._standings.forget()

    def _client(self) -> ConsulClient:
        return client_of(self._settings, self._patience, here=True)

    async def _renew(self, client: ConsulClient) -> None:
        """Keep the checks passing, also those of an earlier run that we have no wish for yet."""
        tries = 0
        await self._seen.wait()
        while True:
            due = self._ttl / 3 * random.uniform(0.8, 1.0)  # noqa: S311
            try:
                if self._standings.kept():  # else nobody was asked
                    await self._renew_all(client)
                    self._standings.trouble = ""
                tries = 0
            except ConsulError as error:
                self._standings.trouble = str(error)
                due = min(due, self._back_off(tries))
                tries += 1
            await asyncio.sleep(due)

    async def _renew_all(self, client: ConsulClient) -> None:
        """Renew some at a time: an agent that waits for a leader answers none of them. Raises ConsulError."""
        keys = self._standings.kept()
        for first in range(0, len(keys), MOST_WRITES):
            await _all(self._renew_one(client, key) for key in keys[first : first + MOST_WRITES])

    async def _renew_one(self, client: ConsulClient, key: str) -> None:
        asked = time.monotonic()
        try:
            await client.renew(consul.check_id(key), max(1.0, self._ttl / 2))
        except CheckGoneError:
            self._wake.set()
        except DeniedError as error:
            self._standings.refused(key, str(error))
        else:
            self._standings.renewed(key, asked + self._ttl)

    async def _write(self, client: ConsulClient) -> None:
        tries, hidden_since = 0, 0.0
        while True:
            self._wake.clear()
            rest = self._pace.compare
            try:
                if await self._mend(client):
                    rest = self._back_off(tries) if tries else 0.0  # to see what has become of it
                    tries += 1
                elif left := await self._not_arrived(client):
                    hidden_since = hidden_since or time.monotonic()
                    if time.monotonic() - hidden_since > self._pace.arrival:
                        await self._tell_again(client, left)
                        hidden_since = time.monotonic()
                    rest = self._back_off(tries) / 2
                    tries += 1
                else:
                    tries, hidden_since, self._standings.trouble = 0, 0.0, ""
            except ConsulError as error:
                self._standings.trouble = str(error)
                rest = self._back_off(tries)
                tries += 1
            due = min((self._lingers(key) for key in self._standings.leaving), default=rest)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, max(0.0, due))):
                    await self._wake.wait()

    async def _look(self, client: ConsulClient) -> set[str]:
        """See what stands at the agent; give the IDs of ours that are gone without our doing."""
        services, checks = await _all([client.services(), client.checks(KEPT)])
        lost = self._standings.found(services, checks)
        self._seen.set()
        return lost

    async def _mend(self, client: ConsulClient) -> bool:
        """Write every difference; tell whether there was any. Raises ConsulError."""
        await self._hurry(client)
        if await self._look(client):  # so did others' agents, perhaps, at the same moment
            await asyncio.sleep(random.uniform(0, self._pace.spread))  # noqa: S311
        standings = self._standings
        for key, found in standings.blocked().items():
            whose = f"of {found.owner}" if found.owner else "that longshore did not register"
            standings.refused(key, f"a service {whose} has the ID {key}")
        work = [self._leave(client, key) for key in standings.unwanted() - standings.leaving.keys()]
        work += [self._deregister(client, key) for key in standings.unwanted() if self._lingers(key) <= 0]
        work += [self._deregister(client, key) for key in standings.dangling()]
        work += [self._stay(client, key) for key in standings.leaving.keys() - standings.unwanted()]
        work += [self._register(client, each) for each in standings.missing()]
        return any(await _all(work))

    async def _hurry(self, client: ConsulClient) -> None:
        """Write a few new entries at once, after a look at their own IDs only."""
        standings = self._standings
        new = [each for each in standings.missing() if each.key not in standings.ours] if self._seen.is_set() else []
        if len(new) <= FEW:
            free = await _all(client.is_free(each.key) for each in new)
            await _all(self._register(client, each) for each, good in zip(new, free, strict=True) if good)

    def _lingers(self, key: str) -> float:
        """Give the seconds until an entry that goes may be removed."""
        return self._standings.leaving.get(key, time.monotonic()) + self._pace.linger - time.monotonic()

    async def _leave(self, client: ConsulClient, key: str) -> bool:
        """Say that an entry goes on purpose: from now on nobody uses it, and nobody takes its end for an accident."""
        if self._owner.startswith(COPY):  # that a copy goes says nothing of the endpoint
            return await self._deregister(client, key)
        async with self._writing:
            with contextlib.suppress(CheckGoneError, DeniedError):
                await client.fail(consul.check_id(key), consul.LEAVING)
        self._standings.leaving[key] = time.monotonic()
        return True

    async def _stay(self, client: ConsulClient, key: str) -> bool:
        """Take that back: it is wanted again."""
        await self._renew_one(client, key)
        self._standings.leaving.pop(key, None)
        return True

    async def _register(self, client: ConsulClient, wanted: Wanted) -> bool:
        asked = time.monotonic()
        async with self._writing:
            try:
                await client.register(wanted.body)
            except DeniedError as error:
                self._standings.refused(wanted.key, str(error))
                return False
            await self._renew_one(client, wanted.key)  # one that was critical before would stay so
        self._standings.renewed(wanted.key, asked + self._ttl)
        return True

    async def _deregister(self, client: ConsulClient, key: str) -> bool:
        async with self._writing:
            try:
                await client.deregister(key)
            except DeniedError as error:
                self._standings.refused(key, str(error))
                return False
        self._standings.withdrawn(key)
        return True

    async def _not_arrived(self, client: ConsulClient) -> list[str]:
        """Give the IDs of ours that the catalog shows otherwise than the agent. Raises ConsulError."""
        if not self._standings.node:
            return []  # nothing was ever there
        path = f"health/node/{self._standings.node}"
        body = (await client.get(path)).body
        rows = client.read(path, body)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise not_consul(client.address, path, body)
        return self._standings.shown(rows)

    async def _tell_again(self, client: ConsulClient, keys: Iterable[str]) -> None:
        """Remove from the catalog what the agent does not have; any word to the agent makes it tell the rest."""
        standings = self._standings
        standings.hidden(HIDDEN)
        wanted = standings.wanted or {}
        for key in keys:
            if key in standings.ours and key in wanted:
                await self._register(client, wanted[key])
            elif key not in standings.ours:
                removal = {"Node": standings.node, "ServiceID": key}
                await client.ask("PUT", "catalog/deregister", document=removal)

    def _back_off(self, tries: int) -> float:
        return min(self._pace.first * 2.0 ** min(tries, 20), self._pace.longest) * random.uniform(0.5, 1.0)  # noqa: S311


async def _all(work: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it, also what comes after a failure; then raise the one that matters: a bug before a fault."""
    results = await asyncio.gather(*work, return_exceptions=True)
    faults = [result for result in results if isinstance(result, BaseException)]
    if faults:
        raise min(faults, key=lambda fault: isinstance(fault, ConsulError))
    return [result for result in results if not isinstance(result, BaseException)]
