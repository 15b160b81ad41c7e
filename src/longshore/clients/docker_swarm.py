"""What a manager tells of its Swarm: services, tasks, nodes, and the events of services and nodes. GETs only.

Tasks have no events: what becomes of them is seen by asking. Their list can be large (about 1.5 KB a task), so it is
asked for with filters, which the manager applies itself.

Source of protocol facts: Docker Engine API 1.41 ("Swarm", "Service", "Task", "Node", GET /events).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError, not_an_engine
from longshore.clients.faults import first_line

FILTERS = json.dumps({"type": ["service", "node", "network"], "event": ["create", "update", "remove", "connect"]})
MOST_IDS = 200
"""Ids in one question: each is 25 characters of a URL."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A service, node or network changed. `network connect` is local: `container` was attached."""

    kind: str
    action: str
    id: str
    container: str = ""


class SwarmClient:
    """The Swarm that an engine manages. Every failure is a DockerError."""

    def __init__(self, engine: DockerClient) -> None:
        self.engine = engine

    async def is_manager(self) -> None:
        """Return if the engine manages a Swarm; else raise a DockerError that says what it is and what to do."""
        try:
            document = await self.engine.get("/info")
        except DockerError as error:
            if error.status not in (401, 403, 404):
                raise
            return  # a socket proxy keeps it to itself: the lists will tell
        swarm = document.get("Swarm") if isinstance(document, dict) else None
        swarm = swarm if isinstance(swarm, dict) else {}
        if swarm.get("ControlAvailable"):
            return
        host, state = self.engine.host, str(swarm.get("LocalNodeState") or "inactive")
        if state == "active":
            managers = [str(each.get("Addr", "")).rpartition(":")[0] for each in swarm.get("RemoteManagers") or ()]
            raise _no_manager(host, managers)
        if state == "locked":
            raise DockerError(f"the Swarm of the engine at {host} is locked", "unlock it: docker swarm unlock")
        said = first_line(str(swarm.get("Error") or ""))
        raise DockerError(
            f"the engine at {host} is in no Swarm (its state is {state}{', ' + said if said else ''})",
            "make it one (docker swarm init, or join), or use the source docker",
        )

    async def services(self) -> list[dict[str, Any]]:
        """Give all services."""
        return await self._list("/services")

    async def nodes(self) -> list[dict[str, Any]]:
        """Give all nodes."""
        return await self._list("/nodes")

    async def running(self) -> list[dict[str, Any]]:
        """Give the tasks that the Swarm wants to run."""
        return await self._list("/tasks", {"desired-state": ["running"]})

    async def tasks(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Give these tasks, as far as the manager still knows them."""
        wanted, found = list(ids), []
        for start in range(0, len(wanted), MOST_IDS):
            found += await self._list("/tasks", {"id": wanted[start : start + MOST_IDS]})
        return found

    @contextlib.asynccontextmanager
    async def events(self, since: float | str) -> AsyncIterator[AsyncIterator[Happening]]:
        """Subscribe, as `DockerClient.events` does."""
        async with self.engine.event_lines(since, FILTERS) as lines:
            yield _happenings(lines, self.engine.host)

    async def _list(self, path: str, filters: object = None) -> list[dict[str, Any]]:
        target = f"{path}?{urlencode({'filters': json.dumps(filters)})}" if filters else path
        try:
            document = await self.engine.get(target)
        except DockerError as error:
            raise _told(error, self.engine.host) from error
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise not_an_engine(self.engine.host, path, json.dumps(document).encode())
        return document


async def _happenings(lines: AsyncIterator[bytes], host: str) -> AsyncIterator[Happening]:
    async for line in lines:
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            actor = document["Actor"]
            attributes = actor.get("Attributes") or {}
            yield Happening(
                str(document["Type"]), str(document["Action"]), str(actor["ID"]), str(attributes.get("container", ""))
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise not_an_engine(host, "/events", line) from error


def _told(error: DockerError, host: str) -> DockerError:
    """Say what a manager's refusal means. The texts are those of the engine (`daemon/cluster/errors.go`)."""
    said = error.what.lower()
    if "not a swarm manager" in said:
        return _no_manager(host, [])
    if "does not have a leader" in said or "lost quorum" in said:
        return DockerError(
            f"the Swarm of {host} has no leader",
            "more than half of its managers must run: docker node ls",
            error.status,
        )
    return error


def _no_manager(host: str, managers: list[str]) -> DockerError:
    known = f"; managers are at {', '.join(managers)}" if managers else ""
    return DockerError(
        f"the engine at {host} is not a manager of its Swarm{known}",
        "set the source's host to a manager, promote this node (docker node promote), or use the source agents",
    )
