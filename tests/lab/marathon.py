"""Marathon's API as its documentation has it: tasks of apps, and the stream of events.

    with Marathon() as marathon:
        marathon.run("/prod/web", "10.0.0.5", 31001)
        marathon.kill("/prod/web", 31001)

Built from https://mesosphere.github.io/marathon/api-console/index.html (`/v2/apps/{app_id}/tasks`, `/v2/events`)
and https://mesosphere.github.io/marathon/docs/event-bus.html: nobody runs a real one any more.
"""

from __future__ import annotations

import base64
import json
import queue
from collections.abc import Iterator
from typing import Any

from tests.lab.api import Api, Call, Reply

JSON = {"Content-Type": "application/json"}


def task(app: str, host: str, *ports: int, number: int = 1, **more: Any) -> dict[str, Any]:
    """A task that runs, as `GET /v2/apps/{app_id}/tasks` lists it. None in `more` leaves a field out."""
    name = app.strip("/").replace("/", "_")
    found: dict[str, Any] = {
        "appId": app,
        "id": f"{name}.{number:08x}-1ec5-11e7-882b-1681ed3e70e2",
        "host": host,
        "ports": list(ports),
        "ipAddresses": [{"ipAddress": "172.17.0.2", "protocol": "IPv4"}],
        "servicePorts": [10000],
        "slaveId": "006f3d50-9393-4a73-96df-5da3e76ef0f6-S1",
        "stagedAt": "2017-04-11T15:06:18.987Z",
        "startedAt": "2017-04-11T15:06:20.048Z",
        "state": "TASK_RUNNING",
        "version": "2017-04-11T15:06:18.942Z",
    }
    return {key: value for key, value in {**found, **more}.items() if value is not None}


def health(*alive: bool) -> list[dict[str, Any]]:
    """What Marathon's health checks say of a task."""
    return [{"alive": each, "consecutiveFailures": 0 if each else 3, "taskId": "web.1"} for each in alive]


class Marathon(Api):
    """One Marathon. `apps` are its apps with their tasks; `streams` whether it tells events; `user` who may ask."""

    def __init__(self, *, streams: bool = True, user: str = "", password: str = "") -> None:
        super().__init__()
        self.apps: dict[str, list[dict[str, Any]]] = {}
        self.forbidden = False
        self._streams, self._login = streams, f"{user}:{password}" if user else ""
        self._listeners: list[queue.SimpleQueue[str]] = []

    @property
    def listeners(self) -> int:
        """How many hear its events."""
        return len(self._listeners)

    def run(self, app: str, host: str, *ports: int, **more: Any) -> None:
        """Run one more task; whoever listens is told."""
        tasks = self.apps.get(app, [])
        self.apps[app] = [*tasks, task(app, host, *ports, number=(ports or (len(tasks),))[0], **more)]
        self.tell(app)

    def change(self, app: str, port: int, **more: Any) -> None:
        """Change fields of the task that has a port."""
        self.apps[app] = [each | more if port in each["ports"] else each for each in self.apps[app]]
        self.tell(app)

    def kill(self, app: str, *ports: int) -> None:
        """Take the tasks that have these ports away."""
        self.apps[app] = [each for each in self.apps[app] if not set(ports) & set(each["ports"])]
        self.tell(app)

    def tell(self, app: str, kind: str = "status_update_event") -> None:
        """Send an event about an app."""
        data = {"eventType": kind, "timestamp": "2014-03-01T23:29:30.158Z", "appId": app, "taskStatus": "TASK_RUNNING"}
        for listener in self._listeners:
            listener.put(f"event: {kind}\r\ndata: {json.dumps(data)}\r\n\r\n")

    def asked(self, app: str) -> int:
        """How often an app was asked for."""
        return sum(call.path == f"/v2/apps{app}/tasks" for call in self.calls)

    def reply(self, call: Call) -> Reply:
        """Answer a request."""
        if (
            self._login
            and call.headers.get("authorization") != "Basic " + base64.b64encode(self._login.encode()).decode()
        ):
            return _said(401, "Invalid username or password.")
        if self.forbidden:
            return _said(403, "Not Authorized to perform this action!")
        if call.path == "/v2/events" and self._streams:
            mine: queue.SimpleQueue[str] = queue.SimpleQueue()
            self._listeners.append(mine)  # whoever sees our head hears everything
            return Reply(headers={"Content-Type": "text/event-stream; charset=UTF-8"}, stream=self._events(mine))
        app = "/" + call.path.removeprefix("/v2/apps/").removesuffix("/tasks")
        if not call.path.startswith("/v2/apps/") or not call.path.endswith("/tasks"):
            return Reply(b"<html>404</html>", 404)
        if app not in self.apps:
            return _said(404, f"App '{app}' does not exist")
        return Reply(json.dumps({"tasks": self.apps[app]}).encode(), headers=JSON)

    def _events(self, mine: queue.SimpleQueue[str]) -> Iterator[bytes]:
        attached = {"remoteAddress": "127.0.0.1", "eventType": "event_stream_attached"}
        yield f"event: event_stream_attached\r\ndata: {json.dumps(attached)}\r\n\r\n".encode()
        try:
            while not self.ended.is_set():
                try:
                    yield mine.get(timeout=0.05).encode()
                except queue.Empty:
                    yield b"\r\n"
        finally:
            self._listeners.remove(mine)


def _said(status: int, message: str) -> Reply:
    return Reply(json.dumps({"message": message}).encode(), status, JSON)
