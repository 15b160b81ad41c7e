"""Registering in etcd: all entries of one registrar under one lease, mended until they are what is wanted.

Two loops share a client. One renews the lease. The other compares what stands there with what is wanted, and writes the
difference; it wakes when something else is wanted, when the lease was lost, and now and then to look for itself.

Nothing of others is ever overwritten: every write tells etcd what it expects to find, in one transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.clients import etcd_wire as wire
from longshore.clients.etcd import EtcdClient, Patience
from longshore.clients.etcd_connect import EtcdSettings, client_of
from longshore.clients.etcd_faults import DeniedError, EtcdError, LeaseGoneError
from longshore.clients.etcd_wire import Pair
from longshore.core.entries import Entry, gives_way
from longshore.core.layouts import Layout, farewell
from longshore.registries.etcd_lease import HeldLease
from longshore.registries.etcd_standing import Standings, Wanted, read, written
from longshore.registries.hold import MOST_WRITES, LeaseStatus


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done, in seconds."""

    first: float = 0.1  # before the first new try after a failure, doubled each time …
    longest: float = 5.0  # … up to this
    compare: float = 30.0  # between looks at what really stands there
    spread: float = 1.0  # a lost lease is made anew within this time, each registrar at its own moment
    farewell: float = 10.0  # longest time to withdraw everything at the end


def patience_for(ttl: float) -> Patience:
    """Give up on a member early enough to renew the lease at another one."""
    return Patience(answer=min(3.0, max(1.0, ttl / 3)), connect=min(2.0, max(0.5, ttl / 5)))


class EtcdHolder:
    """Keeps one owner's entries under one prefix of a cluster (`registries.hold.Holder`).

    `registry` is the source's name, `layout` one of `core.layouts`, `ttl` the seconds that entries outlive us.
    """

    def __init__(
        self,
        registry: str,
        settings: EtcdSettings,
        layout: Layout,
        owner: str,
        ttl: float,
        *,
        patience: Patience | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self._settings, self._layout, self._owner = settings, layout, owner
        self._patience, self._pace = patience or patience_for(ttl), pace
        self._lease = HeldLease(settings.prefix, owner, ttl)
        self._standings = Standings(registry, self._lease)
        self._wanted: dict[bytes, Wanted] | None = None  # by key
        self._asked = False  # whether etcd was asked yet, with whatever result
        self._wake = asyncio.Event()
        self._writing = asyncio.Semaphore(MOST_WRITES)

    def __repr__(self) -> str:
        return f"<EtcdHolder of {self._owner}: {len(self._wanted or ())} wanted, {self._lease}>"

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand there from now on."""
        wanted, unwritable = written(self._layout, self._settings.prefix, entries)
        self._standings.want(wanted, unwritable, self._lease.there)
        self._wanted = wanted
        self._wake.set()

    def leases(self) -> tuple[LeaseStatus, ...]:
        """Tell how each entry stands."""
        return self._standings.all()

    def trouble(self) -> str | None:
        """Why etcd cannot be used now."""
        return (self._standings.unwritten or self._standings.unreachable) if self._asked else None

    async def run(self) -> None:
        """Work until cancelled."""
        async with client_of(self._settings, self._patience) as client, asyncio.TaskGroup() as group:
            group.create_task(self._renew(client))
            group.create_task(self._write(client))

    async def close(self, *, keep: bool) -> None:
        """End, after `run` was cancelled: withdraw everything, or leave it a whole TTL to be adopted."""
        if self._wanted is None:
            return
        try:
            async with asyncio.timeout(self._pace.farewell), client_of(self._settings, self._patience) as client:
                if keep:
                    await self._lease.renew(client)
                    return
                if self._lease.strange:
                    await asyncio.gather(
                        *(self._delete(client, key) for key in self._lease.there.keys() & self._lease.ours)
                    )
                else:
                    await self._say_farewell(client)
                    await client.revoke(self._lease.id)
        except LeaseGoneError:
            pass  # so is everything
        except (EtcdError, TimeoutError) as error:
            self._standings.unwritten = str(error) or "etcd took too long to withdraw"
            return
        self._lease.gone()
        self._standings.forget()

    async def _renew(self, client: EtcdClient) -> None:
        """Keep the lease alive, also one of an earlier run that we have no wish for yet."""
        tries = 0
        while True:
            due = self._lease.ttl / 3 * random.uniform(0.8, 1.0)  # noqa: S311
            try:
                await self._lease.renew(client)
                self._standings.unreachable, tries = "", 0
            except LeaseGoneError:
                self._standings.unreachable, tries = "", 0
                self._wake.set()
            except EtcdError as error:
                self._standings.unreachable = str(error)
                due = min(due, self._back_off(tries))
                tries += 1
            self._asked = True
            await asyncio.sleep(due)

    async def _write(self, client: EtcdClient) -> None:
        tries = lost = 0
        while True:
            self._wake.clear()
            rest = self._pace.compare
            try:
                if self._wanted is not None:
                    if self._lease.lost > lost:  # so did many others', at the same moment
                        lost = self._lease.lost
                        await asyncio.sleep(random.uniform(0, self._pace.spread))  # noqa: S311
                    rest = min(rest, await self._mend(client))
                    self._standings.unwritten, tries = "", 0
            except LeaseGoneError:
                self._lease.gone()
                rest = self._back_off(tries)
                tries += 1
            except EtcdError as error:
                self._standings.unwritten = str(error)
                rest = self._back_off(tries)
                tries += 1
            if not await _awaken(self._wake, rest) and self._lease.held and self._wanted is not None:
                with contextlib.suppress(EtcdError):
                    await self._lease.compare(client)

    async def _mend(self, client: EtcdClient) -> float:
        """Write every difference; give the seconds until refused entries are tried again. Raises EtcdError."""
        await self._lease.take(client)
        wanted = self._wanted or {}
        self._lease.ours.update(wanted)
        strange = self._lease.strange
        self._standings.found(self._lease.there, wanted, self._layout, self._settings.prefix)
        new = [self._put(client, each) for key, each in wanted.items() if self._lease.there.get(key) != each.value]
        results = await asyncio.gather(*new, return_exceptions=True)  # first: an entry may only have moved
        odd = [self._delete(client, key) for key in self._lease.there if key not in wanted and key not in strange]
        results += await asyncio.gather(*odd, return_exceptions=True)
        faults = [result for result in results if isinstance(result, BaseException)]
        if faults:  # a bug first, then what concerns the whole lease
            raise min(faults, key=lambda fault: (isinstance(fault, EtcdError), not isinstance(fault, LeaseGoneError)))
        return self._lease.ttl if self._standings.any_refused else self._pace.compare

    async def _say_farewell(self, client: EtcdClient) -> None:
        """Say of everything that it goes on purpose."""
        await asyncio.gather(*(self._leave(client, key) for key in list(self._lease.there)))

    async def _leave(self, client: EtcdClient, key: bytes) -> None:
        """Say of one entry that it goes on purpose, where the layout can say so."""
        there = self._lease.there.get(key, b"")  # the lease may have run out meanwhile
        value = farewell(self._layout, self._settings.prefix, key.decode(errors="replace"), there)
        if value is not None:
            async with self._writing:
                if await client.put_if(wire.has_lease(key, self._lease.id), key, value, self._lease.id) is None:
                    self._lease.there[key] = value

    async def _delete(self, client: EtcdClient, key: bytes) -> None:
        await self._leave(client, key)
        async with self._writing:
            await client.delete_if(wire.has_lease(key, self._lease.id), key)
        self._lease.there.pop(key, None)
        self._lease.ours.discard(key)
        self._standings.withdrawn(key)

    async def _put(self, client: EtcdClient, wanted: Wanted) -> None:
        """Write one entry, if nothing of somebody else stands in its place."""
        key, value, lease = wanted.key, wanted.value, self._lease.id
        expected = wire.has_lease(key, lease) if key in self._lease.there else wire.is_at(key, 0)
        async with self._writing:
            try:
                if wanted.also:  # before the entry, which says nothing without it
                    await self._share(client, *wanted.also)
                while found := await client.put_if(expected, key, value, lease):
                    if found.lease == lease and found.value == value:
                        break  # by a request whose answer was lost
                    if not self._may_replace(found, value):
                        self._standings.refused(wanted, f"another stands at {wanted.written}: {_shown(found)}")
                        return
                    expected = wire.is_at(key, found.revision)
            except DeniedError as error:
                self._standings.refused(wanted, str(error))
                return
        self._lease.there[key] = value
        self._standings.held(wanted)

    async def _share(self, client: EtcdClient, key: bytes, value: bytes) -> None:
        """Write what belongs to a service rather than to an entry: without a lease, since none of its hosts owns it."""
        found = await client.get([key])
        if key not in found or found[key].value != value:
            await client.put(key, value)

    def _may_replace(self, found: Pair, value: bytes) -> bool:
        """Whether what stands at a key of ours is nothing, our own under another lease, or a copy of our entry.

        In layouts that know no owner: the same under another lease, or what this host's registrator left.
        """
        if not found.revision or found.lease == self._lease.id or found.value == value:
            return True
        key = found.key.decode(errors="replace")
        entry = read(self._layout, self._settings.prefix, key, found.value)
        if not isinstance(entry, Entry):
            return False
        ours = read(self._layout, self._settings.prefix, key, value)
        if self._layout.name == "nerve":  # the key names the instance: the address tells whether it is this one
            return isinstance(ours, Entry) and ours.id == entry.id
        own = ours.owner if isinstance(ours, Entry) else self._owner
        return gives_way(entry.owner, own) or bool(entry.owner and entry.owner == own)

    def _back_off(self, tries: int) -> float:
        return min(self._pace.first * 2.0 ** min(tries, 20), self._pace.longest) * random.uniform(0.5, 1.0)  # noqa: S311


async def _awaken(wake: asyncio.Event, seconds: float) -> bool:
    """Wait until `wake` is set, at most so long; tell whether it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    return wake.is_set()


def _shown(found: Pair) -> str:
    text = "".join(c if c.isprintable() else " " for c in found.value[:120].decode(errors="replace"))
    return f"{text} (lease {found.lease:x})" if found.lease else f"{text} (without a lease)"
