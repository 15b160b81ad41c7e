"""Ports that another HAProxy has and shares (`haproxy.share-ports`): joined when all is ready, and taken over from it.

waiting      it listens there, ours does not yet: from the first moment the kernel would give us part of the connections
beside       both listen there, and both get new connections
taken over   both do, and all new connections come to ours: the other one may be stopped, nothing waits in its queue

So a longshore takes the place of another one, or of any HAProxy, without a lost request: start it, wait until it is
ready, stop the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from longshore.agent.ports import Ports
from longshore.agent.prober import Waiting
from longshore.agent.report import SharedAddress
from longshore.core.model import Snapshot
from longshore.haproxy import takeover

TRIES = 3  # first checks that failed: this endpoint may take long, it is not waited for
SEARCH = 10.0  # seconds that HAProxy has to find endpoints by DNS
LOOK = 1.0  # seconds between looks whether the others still listen
SETTLE = 1.0  # seconds in which the others accept what came to them before the take-over


def fit(snapshots: Iterable[Snapshot | None], asked: Iterable[Waiting], empty: Collection[str], since: float) -> bool:
    """Whether who asks a port that is taken over now finds all that can be found.

    Every source has told what there is, now or before a restart; who has not answered its first check has had its
    chance; and HAProxy, `since` seconds at it, has found something for the services that it searches itself, but for
    those that are `empty`.
    """
    told = all(each is not None and (not each.stale or each.services) for each in snapshots)
    return told and all(each.attempts >= TRIES for each in asked) and (not empty or since > SEARCH)


class Sharing:
    """The shared addresses of one balancer. `path` is HAProxy's runtime socket, `said` the journal: what, why."""

    def __init__(self, ports: Ports, path: str, said: Callable[[str, str], object], poke: Callable[[], object]) -> None:
        self.addresses: dict[str, SharedAddress] = {}
        self._ports, self._path, self._said, self._poke = ports, path, said, poke
        self._others: frozenset[str] = frozenset()  # sockets of others on ports that are ours too
        self._fresh: set[str] = set()  # addresses that are joined, and not taken over yet as far as they can be
        self._joined = asyncio.Event()

    @property
    def settled(self) -> bool:
        """Whether every address that is shared is ours by now, as far as it can be."""
        return not self.waiting and not self._fresh

    @property
    def waiting(self) -> tuple[str, ...]:
        """Addresses that ours does not listen on yet."""
        return tuple(each.address for each in self.addresses.values() if each.state == "waiting")

    def note(self, listening: Collection[str], *, ready: bool) -> None:
        """After a round: ours listens there now. `ready`: all that is wanted would be served."""
        shared, joins = self._ports.shared, self._ports.joins
        for address, who in shared.items():
            if address not in listening and address not in self.waiting:
                self.addresses[address] = SharedAddress(address, who, "waiting")
                self._said(f"{address} is shared", f"{who} listens there; it is joined when everything is ready")
        for address in self.waiting:
            if address in listening and address in joins:
                self._fresh.add(address)
                self._joined.set()
                self._said(f"{address} is joined", f"{self.addresses[address].by} listens there too")
                self.addresses[address] = replace(self.addresses[address], state="beside")
            elif address in listening or address not in shared:
                del self.addresses[address]  # its owner let go of it, or nobody wants it any more
        joins.intersection_update(self.waiting)
        if ready and (new := set(self.waiting) - joins):
            joins.update(new)
            self._poke()

    async def watch(self) -> None:
        """Take over what was joined, and say when the others have gone. Endless."""
        while True:
            if not self._others and not self._fresh:
                await self._joined.wait()
            if self._fresh:
                await self._take_over()
                self._poke()
            await asyncio.sleep(LOOK)
            left = await asyncio.to_thread(takeover.still_there, self._others)
            if self._others and not left:
                await self._alone()
            self._others = left

    async def _take_over(self) -> None:
        fresh = frozenset(self._fresh)
        self._joined.clear()
        found = await asyncio.to_thread(takeover.take_over, self._path)
        self._others = frozenset(inode for each in found for inode in each.others)
        await asyncio.sleep(SETTLE)
        for address, known in list(self.addresses.items()):
            groups = [each for each in found if known.state == "beside" and address.endswith(f":{each.port}")]
            if groups and all(each.steered for each in groups):
                self.addresses[address] = replace(known, state="taken over")
                self._said(f"{address} is taken over", f"{known.by} gets no new connections: it may be stopped")
            elif groups:
                why = "the kernel cannot give them all to us, or it listens on another address of the same port"
                hint = "before you stop the other, set net.ipv4.tcp_migrate_req=1 (sysctl, Linux 5.14)"
                self._said(f"new connections to {address} are divided", f"{why}; {hint}")
        self._fresh -= fresh

    async def _alone(self) -> None:
        await asyncio.to_thread(takeover.let_go, self._path)
        for address in [each.address for each in self.addresses.values() if each.state != "waiting"]:
            self._said(f"{address} is ours alone", "the others do not listen there any more")
            del self.addresses[address]
        self._poke()
