"""What many agents told, as services. Each is the truth of its own machine and of nothing else.

When an agent is gone, what it told stays, for a stated time and while no other agent tells of that machine: checks take
out what does not answer. A machine is known by its engine's id, so a replaced agent takes over its predecessor's part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from longshore.core.address import Here
from longshore.core.build import Builder
from longshore.core.containers import Container
from longshore.core.drafts import Options
from longshore.core.machine_snapshot import MachineSnapshot
from longshore.core.model import Problem, Service

_JOINS = "container:"


@dataclass(slots=True)
class Part:
    """What is known of one machine. `speakers` are the addresses of the agents that tell of it: one, or while it is
    replaced, two."""

    snapshot: MachineSnapshot
    speakers: set[str]
    lost: float = 0.0  # when the last of them went, 0 while there is one
    why: str = ""
    containers: dict[str, Container] = field(default_factory=dict)


class Agents:
    """All machines. `us` are ids that may be our own container's: it tells which networks we share."""

    def __init__(self, options: Options, us: Iterable[str] = (), networks: Iterable[str] = ()) -> None:
        self._us = tuple(us)
        self._networks = frozenset(networks)
        self._options = replace(options, here=Here(self._networks, in_container=True))
        self._builder = Builder(self._options)
        self._parts: dict[str, Part] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names of all machines that are known of."""
        return frozenset(part.snapshot.machine.name for part in self._parts.values())

    @property
    def heard(self) -> bool:
        """Whether any agent is there now."""
        return any(part.speakers for part in self._parts.values())

    def told(self, speaker: str, snapshot: MachineSnapshot, now: float) -> None:
        """Take all that the agent at an address knows."""
        for identity, other in self._parts.items():
            if identity != snapshot.id and speaker in other.speakers:
                self._silence(other, speaker, "its address belongs to another machine now", now)
        before = self._parts.get(snapshot.id) or Part(snapshot, set())
        found = {each.id: each for each in snapshot.containers}
        for identity in before.containers.keys() - found.keys():
            self._builder.remove(identity)
        for identity, container in found.items():
            held = before.containers.get(identity)
            if held is not container and held != container:
                self._builder.set(container)
        part = self._parts[snapshot.id] = Part(snapshot, before.speakers | {speaker}, containers=found)
        self._situate(part)

    def lost(self, speaker: str, why: str, now: float) -> None:
        """Note that the agent at an address is gone."""
        for part in self._parts.values():
            self._silence(part, speaker, why, now)

    def _silence(self, part: Part, speaker: str, why: str, now: float) -> None:
        if speaker in part.speakers:
            part.speakers.discard(speaker)
            if not part.speakers:
                part.lost, part.why = now, why

    def forget(self, before: float) -> None:
        """Let go what agents told that are gone since before a moment, as long as any agent is there."""
        if self.heard:
            for identity, part in list(self._parts.items()):
                if not part.speakers and part.lost < before:
                    for container in part.containers:
                        self._builder.remove(container)
                    del self._parts[identity]

    def build(self) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
        """Give all services and all problems but those of agents that are gone."""
        services, problems = self._builder.build()
        own = [
            replace(problem, where=f"{problem.where} of {part.snapshot.machine.name}")
            for part in self._parts.values()
            for problem in part.snapshot.problems
        ]
        return services, (*own, *problems)

    def gone(self) -> tuple[tuple[str, str, int], ...]:
        """Give machine, reason and number of containers of each agent that is gone."""
        return tuple(
            (part.snapshot.machine.name, part.why, len(part.containers))
            for part in self._parts.values()
            if not part.speakers
        )

    def _situate(self, part: Part) -> None:
        """Find ourselves among a machine's containers; another place means other addresses."""
        here = self._here(part)
        if here is not None and here != self._options.here:
            self._options = replace(self._options, here=here)
            self._builder = Builder(self._options)
            self._builder.replace_all(each for part in self._parts.values() for each in part.containers.values())

    def _here(self, part: Part) -> Here | None:
        containers = part.containers
        own = (each for us in self._us for each in containers.values() if each.id.startswith(us))
        if (us := next(own, None)) is None:
            return None
        through = us
        if us.network_mode.startswith(_JOINS):
            through = containers.get(us.network_mode.removeprefix(_JOINS), us)
        shared = () if through.network_mode == "host" else through.networks
        ids = frozenset(each.id for each in shared if each.id)
        return Here(self._networks | ids, in_container=True, container=us.id)
