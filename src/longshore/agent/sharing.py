"""Ports that another HAProxy has and shares (`haproxy.share-ports`): joined when all is ready, and taken over from it.

waiting      it listens there, ours does not yet: from the first moment the kernel would give us part of the connections
beside       both listen there, and both get new connections
taken over   both do, and all new connections come to ours: the other one may be stopped, nothing waits in its queue

An address at which nobody would be found stays with the other, until there is somebody or the other one has gone.
`agent.ripe` says when it is time.

So a longshore takes the place of another one, or of any HAProxy, without a lost request: start it, wait until it is
ready, stop the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from longshore.agent.ports import Ports
from longshore.agent.report import SharedAddress
from longshore.core.model import Problem, Service
from longshore.haproxy import takeover

LOOK = 1.0  # seconds between looks whether the others still listen
SETTLE = 1.0  # seconds in which the others accept what came to them before the take-over


class Sharing:
    """The shared addresses of one balancer. `path` is HAProxy's runtime socket, `said` the journal: what, why."""

    def __init__(self, ports: Ports, path: str, said: Callable[[str, str], object], poke: Callable[[], object]) -> None:
        self.addresses: dict[str, SharedAddress] = {}
        self._ports, self._path, self._said, self._poke = ports, path, said, poke
        self._others: frozenset[str] = frozenset()  # sockets of others on ports that are ours too
        self.barren: dict[str, tuple[str, ...]] = {}  # waiting addresses where there would be nobody, and the services
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

    def note(
        self, listening: Collection[str], *, ready: bool, barren: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """After a round: ours listens there now. `ready`: all that is wanted would be served.

        `barren`: addresses where there would be nobody all the same, with the services there.
        """
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
        self._hold_back((barren or {}) if ready else {})
        if ready and (new := set(self.waiting) - joins - self.barren.keys()):
            joins.update(new)
            self._poke()

    def _hold_back(self, barren: Mapping[str, tuple[str, ...]]) -> None:
        before = self.barren
        self.barren = {address: barren[address] for address in self.waiting if address in barren}
        self._ports.joins.difference_update(self.barren)
        for address, names in self.barren.items():
            if address not in before:
                why = f"no endpoint found for {_services(names)}"
                self._said(f"{address} stays with {self.addresses[address].by}", why)
        for address in self.waiting:
            until = f"{_services(self.barren[address])} has an endpoint" if address in self.barren else ""
            self.addresses[address] = replace(self.addresses[address], until=until)

    def problems(self, known: Mapping[str, Service]) -> tuple[Problem, ...]:
        """What people must know of addresses that stay with the other one."""
        return tuple(
            Problem(
                f"service {name}",
                f"{_lacks(known[name])} at {address}; {self.addresses[address].by} goes on serving it",
                "Is what it is looked for by written right? It is taken over as soon as it has one. If it is to be "
                "empty, stop the other one: then longshore listens there within seconds.",
                name,
            )
            for address, names in self.barren.items()
            for name in names
            if name in known
        )

    @property
    def waits_for(self) -> tuple[str, ...]:
        """What keeps it from being settled, but for what all have to wait for."""
        held = [
            f"an endpoint of {_services(names)}: {address} stays with {self.addresses[address].by} until then"
            for address, names in self.barren.items()
        ]
        return (*held, *(f"taking over {address}" for address in sorted(self._fresh | self._ports.joins)))

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


def _services(names: tuple[str, ...]) -> str:
    first = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{'service' if len(names) == 1 else 'one of the services'} {first}"


def _lacks(service: Service) -> str:
    if not service.endpoints:
        return "no endpoint found for it"
    count = len(service.endpoints)
    return "its endpoint may not be used yet" if count == 1 else f"none of its {count} endpoints may be used yet"
