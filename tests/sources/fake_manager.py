"""A Swarm manager in this process: `FakeEngine` with nodes, services and tasks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.clients.fake_engine import FakeEngine


@dataclass
class FakeManager(FakeEngine):
    """Change what it holds, then `happened`, as a real one says of services and nodes, never of tasks."""

    info: dict[str, Any] = field(default_factory=lambda: {"LocalNodeState": "active", "ControlAvailable": True})
    nodes: list[dict[str, Any]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id
    looks: int = 0  # how often the running tasks were listed

    def application(self) -> web.Application:
        """Give it as an aiohttp application."""
        app = super().application()
        app.router.add_get("/{api}/info", self._info)
        app.router.add_get("/{api}/nodes", self._nodes)
        app.router.add_get("/{api}/services", self._services)
        app.router.add_get("/{api}/tasks", self._tasks)
        return app

    def put(self, *tasks: dict[str, Any]) -> None:
        """Have these tasks, in place of others with the same ids."""
        self.tasks |= {task["ID"]: task for task in tasks}

    def happened(self, kind: str, action: str, identity: str, **attributes: str) -> None:
        """Send an event."""
        nanos = time.time_ns()
        actor = {"ID": identity, "Attributes": attributes}
        event = {"Type": kind, "Action": action, "Actor": actor, "time": nanos // 10**9, "timeNano": nanos}
        self._ring.append(event)
        for queue in self._queues:
            queue.put_nowait(event)

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"Swarm": self.info})

    async def _nodes(self, _: web.Request) -> web.Response:
        return web.json_response(self.nodes)

    async def _services(self, _: web.Request) -> web.Response:
        return web.json_response(self.services)

    async def _tasks(self, request: web.Request) -> web.Response:
        filters = json.loads(request.query.get("filters", "{}"))
        self.looks += "desired-state" in filters
        found = [
            task
            for task in self.tasks.values()
            if task["DesiredState"] in filters.get("desired-state", [task["DesiredState"]])
            and task["ID"] in filters.get("id", [task["ID"]])
        ]
        return web.json_response(found)
