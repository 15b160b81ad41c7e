"""The agent of one machine: follows its engine and holds what it runs as one line, ready for whoever listens.

A listener gets the newest line and skips what it was too slow for: every line is whole.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.tls import files_of
from longshore.config.agent import AgentConfig
from longshore.core.address import Here
from longshore.core.containers import Container, Machine
from longshore.core.machine_snapshot import MachineSnapshot, line, spell
from longshore.core.model import Problem
from longshore.core.places import ip
from longshore.sources.docker import follow
from longshore.sources.docker_picture import Picture, View

ZONE = "longshore.zone="
AGAIN = 1.0
"""Seconds until an engine that does not answer is asked again who it is."""


class Collection:
    """Containers as they are: what `Picture` makes of them here."""

    def __init__(self, here: Here) -> None:
        self._containers: dict[str, Container] = {}

    def set(self, container: Container) -> None:
        """Add a container, or replace what was known of it."""
        self._containers[container.id] = container

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        self._containers.pop(container_id, None)

    def replace_all(self, containers: Iterable[Container]) -> None:
        """Hold exactly these containers."""
        self._containers = {container.id: container for container in containers}

    def build(self) -> tuple[tuple[Container, ...], tuple[Problem, ...]]:
        """Give them."""
        return tuple(self._containers.values()), ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which machine it is."""

    id: str
    machine: Machine


class NodeAgent:
    """Follows the engine. `line` is what is known, b"" at first; each of `listeners` is set when it changes."""

    def __init__(self, settings: AgentConfig, zone: str = "") -> None:
        self.line = b""
        self.listeners: set[asyncio.Event] = set()
        self.problem: Problem | None = None  # why nothing is known, or what is known is old
        self.count = 0
        self._settings = settings
        self._zone = zone
        self._spelled: dict[str, tuple[Container, str]] = {}

    async def run(self) -> NoReturn:
        """Follow, for ever."""
        identity = await self._identity()
        picture = Picture("the agent", Collection)

        def publish(view: View[Container]) -> None:
            self.problem = picture.stale
            if view.whole:
                self._take(identity, view)

        await follow(self._settings, picture, publish)

    def _take(self, identity: Identity, view: View[Container]) -> None:
        spelled = {each.id: self._spell(each) for each in view.made}
        self._spelled = spelled
        self.count = len(spelled)
        snapshot = MachineSnapshot(identity.id, identity.machine, view.made, view.problems, view.stale)
        text = line(snapshot, lambda container: spelled[container.id][1])
        if text != self.line:
            self.line = text
            for listener in self.listeners:
                listener.set()

    def _spell(self, container: Container) -> tuple[Container, str]:
        known = self._spelled.get(container.id)
        return known if known is not None and known[0] is container else (container, spell(container))

    async def _identity(self) -> Identity:
        """Ask the engine who it is, until it answers."""
        while True:
            try:
                async with DockerClient(self._settings.host, tls=files_of(self._settings.tls)) as client:
                    return identity_of(await client.get("/info"), self._settings.address or "", self._zone)
            except DockerError as error:
                if error.status in (401, 403):
                    hint = "let a socket proxy in front allow GET on /info too"
                    self.problem = Problem("the agent", error.what, hint)
                else:
                    self.problem = Problem("the agent", error.what, error.hint)
            await asyncio.sleep(AGAIN)


def identity_of(info: Any, address: str, zone: str) -> Identity:
    """Read who the engine is (GET /info): its id and name, its address in the Swarm, its label `longshore.zone`."""
    info = info if isinstance(info, dict) else {}
    swarm = info.get("Swarm") or {}
    labels = [label for label in info.get("Labels") or () if isinstance(label, str) and label.startswith(ZONE)]
    name = str(info.get("Name") or socket.gethostname())
    found = address or ip(str(swarm.get("NodeAddr") or "")) or ""
    said = zone or (labels[0].removeprefix(ZONE) if labels else "")
    return Identity(str(info.get("ID") or swarm.get("NodeID") or name), Machine(name, found, said))
