"""The source `agents`: the containers of many machines, as an agent on each of them tells, at the moment it changes.

A name leads to the agents (`tasks.<service>` in a Swarm: one address each); it is looked up again and again, and every
agent is heard on a connection of its own. Each line it sends is all that its machine runs. An agent that is gone harms
nothing: what it told stays (`core.agents`), and so does what was served before a restart of ours of machines that have
not been heard of yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from longshore.clients.agent import AgentAccess, AgentError, hear
from longshore.clients.dns import DnsClient, DnsError
from longshore.clients.dns_exchange import Nameserver
from longshore.clients.faults import Fault
from longshore.clients.tls import files_of
from longshore.config.fields import split_address
from longshore.config.swarm import AgentsSource
from longshore.core.agents import Agents
from longshore.core.drafts import Options
from longshore.core.machine_snapshot import MachineSnapshot, Reader
from longshore.core.model import Problem, Service, Snapshot
from longshore.sources.docker import Patience, back_off
from longshore.sources.docker_here import ids_of_this_process

LOOKUP = 2.0
"""Seconds between two look-ups of the agents' name."""
PATIENCE = Patience(first=0.1, longest=2.0)


@dataclass(slots=True)
class Hearing:
    """All that is known of the agents, as snapshots."""

    options: Options
    agents: Agents
    publish: Callable[[Snapshot], None]
    keep: float
    earlier: tuple[Service, ...] = ()  # what was served before a restart
    clock: Callable[[], float] = time.time
    wanted: set[str] | None = None  # where agents are; None as long as nobody knows
    unsettled: set[str] = field(default_factory=set)  # of these, those that were not tried yet
    faults: dict[str, Fault] = field(default_factory=dict)  # place → why nobody is heard there
    nowhere: Fault | None = None  # why nobody knows where agents are
    _began: float = 0.0
    _stale_since: str = ""
    _last: Snapshot | None = None
    _whole: bool = False
    _mixed: dict[str, Service] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note when hearing began: what was served before holds from then on, for a while."""
        self._began = self.clock()

    def found(self, places: Iterable[str]) -> set[str]:
        """Take where the agents are; give the new places."""
        places = set(places)
        new = places - (self.wanted or set())
        if self.wanted is None:
            self.unsettled = set(places)
        self.wanted, self.nowhere = places, None
        self.changed()
        return new

    def unknown(self, fault: Fault) -> None:
        """Note that nobody can say where the agents are. Those known are heard on."""
        self.nowhere = fault
        self.changed()

    def told(self, place: str, snapshot: MachineSnapshot) -> None:
        """Take what an agent tells."""
        self.faults.pop(place, None)
        self.agents.told(place, snapshot, self.clock())
        self._tried(place)

    def lost(self, place: str, fault: Fault) -> None:
        """Note that an agent is not heard (any more)."""
        self.faults[place] = fault
        self.agents.lost(place, fault.what, self.clock())
        self._tried(place)

    def wants(self, place: str) -> bool:
        """Whether an agent is still to be found at a place; if not, it is not talked about any more."""
        wanted = place in (self.wanted or ())
        if not wanted and place in self.faults:
            del self.faults[place]
            self.changed()
        return wanted

    def passes(self) -> None:
        """Let go what was kept for long enough."""
        self.agents.forget(self.clock() - self.keep)
        if self.earlier and self.clock() - self._began > self.keep and self.agents.heard:
            self.earlier = ()
        self.changed()

    def changed(self) -> None:
        """Publish, if anything is different. Nothing is told before every agent was tried once."""
        self._whole = self._whole or (self.agents.heard and not self.unsettled)
        if not self._whole and (self.unsettled or (self.wanted is None and self.nowhere is None)):
            return
        snapshot = self._snapshot()
        if snapshot != self._last:
            self._last = snapshot
            self.publish(snapshot)

    def _tried(self, place: str) -> None:
        self.unsettled.discard(place)
        self.changed()

    def _snapshot(self) -> Snapshot:
        stale = ""
        if not self.agents.heard:
            self._stale_since = self._stale_since or time.strftime("%H:%M:%S", time.localtime(self.clock()))
            stale = f"no agent is heard, since {self._stale_since}"
        else:
            self._stale_since = ""
        source = self.options.source
        own = [Problem(f"source {source}", self.nowhere.what, self.nowhere.hint)] if self.nowhere else []
        own += [Problem(f"source {source}", fault.what, fault.hint) for _, fault in sorted(self.faults.items())]
        for machine, why, count in sorted(self.agents.gone()):
            what = f"nobody tells of {machine} any more: {why}"
            own.append(
                Problem(f"source {source}", what, f"its {count} containers stay for now, as long as they answer")
            )
        if not self._whole:
            return Snapshot(source, (), tuple(own), stale or "the agents have not been asked yet")
        services, problems = self.agents.build()
        return Snapshot(source, self._with_earlier(services), (*own, *problems), stale)

    def _with_earlier(self, services: tuple[Service, ...]) -> tuple[Service, ...]:
        """Add endpoints from before a restart, of machines that were not heard of since."""
        if not self.earlier:
            return services
        names = self.agents.names
        found = {service.name: service for service in services}
        for before in self.earlier:
            left = tuple(each for each in before.endpoints if each.host not in names)
            if left:
                now = found.get(before.name, replace(before, endpoints=()))
                mixed = replace(now, endpoints=(*now.endpoints, *left))
                known = self._mixed.get(before.name)
                found[before.name] = self._mixed[before.name] = known if known == mixed and known else mixed
        return tuple(found[name] for name in sorted(found))


async def watch(
    settings: AgentsSource,
    options: Options,
    publish: Callable[[Snapshot], None],
    *,
    last: Snapshot | None = None,
    patience: Patience = PATIENCE,
    lookup: float = LOOKUP,
) -> NoReturn:
    """Publish what the agents tell, for ever. `last` is the snapshot from before a restart."""
    agents = Agents(options, ids_of_this_process(), settings.networks)
    hearing = Hearing(options, agents, publish, settings.keep, last.services if last else ())
    async with asyncio.TaskGroup() as group:
        followers: dict[str, asyncio.Task[None]] = {}
        while True:
            for place in await _places(settings, hearing):
                if place not in followers or followers[place].done():
                    followers[place] = group.create_task(_follow(place, settings, hearing, patience))
            hearing.passes()
            await asyncio.sleep(lookup)
    raise AssertionError("agents are followed for ever")


async def _places(settings: AgentsSource, hearing: Hearing) -> set[str]:
    """Find out where the agents are; give the places that nobody follows yet."""
    places = set(settings.addresses)
    if settings.dns:
        client = DnsClient(tuple(Nameserver(*split_address(each)) for each in settings.nameservers))
        try:
            answer = await client.addresses(settings.dns)
        except (DnsError, ValueError) as error:
            hint = error.hint if isinstance(error, DnsError) else "check the name"
            hearing.unknown(Fault(f"nobody can say where {settings.dns} is: {error}", hint))
            return set()
        if not answer.addresses and not places:
            what = f"the name {settings.dns} {'does not exist' if answer.state == 'missing' else 'has no address'}"
            hint = "is a service of agents running, and is the balancer on a network with it?"
            hearing.unknown(Fault(what, hint))
            return set()
        places |= {
            f"[{each}]:{settings.port}" if ":" in each else f"{each}:{settings.port}" for each in answer.addresses
        }
    hearing.found(places)
    return places


async def _follow(place: str, settings: AgentsSource, hearing: Hearing, patience: Patience) -> None:
    """Hear one agent, again and again, for as long as one is to be found there."""
    tries, reader = 0, Reader()
    while hearing.wants(place):
        try:
            async with hear(*split_address(place), await _access(settings)) as lines:
                async for line in lines:
                    hearing.told(place, _read(reader, line, place))
                    tries = 0
        except AgentError as fault:
            hearing.lost(place, fault)
        await asyncio.sleep(back_off(patience, tries))
        tries += 1


def _read(reader: Reader, line: bytes, place: str) -> MachineSnapshot:
    try:
        return reader.read(line)
    except ValueError as error:
        raise AgentError(f"what answers at {place} is no agent of ours: {error}", "check the port") from error


async def _access(settings: AgentsSource) -> AgentAccess:
    """Read the token anew each time: it may have been exchanged."""
    token = ""
    if settings.token_file:
        try:
            token = (await asyncio.to_thread(Path.read_text, settings.token_file)).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AgentError(
                f"the token file {settings.token_file} cannot be read: {error}", "check token-file"
            ) from error
    if not token.isascii() or not token.isprintable() or " " in token:
        raise AgentError(f"the token file {settings.token_file} does not hold one word of ASCII", "check token-file")
    name = settings.tls.name if settings.tls else None
    return AgentAccess(token, files_of(settings.tls), name or settings.dns or "")
