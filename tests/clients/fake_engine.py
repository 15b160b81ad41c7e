"""An engine in this process: the GETs of the Docker Engine API that longshore uses, on aiohttp, with knobs to turn.

It behaves as the real one does where that matters: it answers GET /events *before* it has subscribed the asker, replays
a ring of the last 256 events from `since` on, filters events by type and action, and answers errors as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

LIVE = ("running", "paused", "restarting")


def container_id(name: str) -> str:
    """Give a full id that is the same for the same name."""
    return name.encode().hex().ljust(64, "0")[:64]


def document(name: str, address: str = "172.18.0.2", **more: Any) -> dict[str, Any]:
    """Give what GET /containers/ID/json says of a running container with a port 8000, short of what nobody reads."""
    started = more.pop("started", "2024-05-01T10:00:00.5Z")
    return {
        "Id": container_id(name),
        "Name": f"/{name}",
        "Created": "2024-05-01T10:00:00.123456789Z",
        "State": {"Status": "running", "Running": True, "StartedAt": started},
        "Config": {
            "Hostname": container_id(name)[:12],
            "Image": "local/web:1",
            "Labels": more.pop("labels", {"longshore.service": name, "longshore.host": f"{name}.test"}),
            "Env": [],
            "ExposedPorts": {"8000/tcp": {}},
            "StopSignal": more.pop("stop_signal", "SIGTERM"),
        },
        "HostConfig": {"NetworkMode": more.pop("network_mode", "bridge")},
        "NetworkSettings": {
            "Ports": {"8000/tcp": None},
            "Networks": {"bridge": {"NetworkID": "n" * 64, "IPAddress": address, "Gateway": "172.18.0.1"}},
        },
        **more,
    }


@dataclass
class FakeEngine:
    """The state of the engine; change it, then `emit` what happened."""

    api: str = "1.51"
    min_api: str = "1.24"
    version: str = "28.5.1"
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)  # by full id
    asked: list[str] = field(default_factory=list)  # paths, in the order of asking
    methods: set[str] = field(default_factory=set)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)  # path ending -> status, message
    networks: dict[str, str] = field(default_factory=dict)  # id -> driver
    info: dict[str, Any] = field(default_factory=dict)  # what GET /info says
    signals: list[tuple[str, str]] = field(default_factory=list)  # that containers were sent: id, name
    hold: dict[str, asyncio.Event] = field(default_factory=dict)  # path ending -> waits for it before answering
    before_subscribing: asyncio.Event | None = None  # waited for between the answer to GET /events and its subscription
    after_listing: asyncio.Event | None = None  # waited for between making the list and answering it
    listed: asyncio.Event = field(default_factory=asyncio.Event)  # set when a list was made
    watched: asyncio.Event = field(default_factory=asyncio.Event)  # set while somebody is subscribed to events
    _ring: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=256))
    _queues: list[asyncio.Queue[dict[str, Any] | None]] = field(default_factory=list)

    def add(self, name: str, address: str = "172.18.0.2", **more: Any) -> str:
        """Have one more running container; say nothing about it."""
        doc = document(name, address, **more)
        self.containers[doc["Id"]] = doc
        return str(doc["Id"])

    def start(self, name: str, address: str = "172.18.0.2", **more: Any) -> str:
        """Have one more running container, and say so."""
        identity = self.add(name, address, **more)
        self.emit("start", identity)
        return identity

    def state(self, identity: str, **changes: Any) -> None:
        """Change `State`; a status other than running, paused or restarting leaves the listing."""
        self.containers[identity]["State"].update(changes)

    def die(self, identity: str) -> None:
        """End a container, and say so."""
        self.state(identity, Status="exited", Running=False)
        self.emit("die", identity, exitCode="0")

    def destroy(self, identity: str) -> None:
        """Forget a container, and say so."""
        self.emit("destroy", identity)
        del self.containers[identity]

    def emit(self, action: str, identity: str, kind: str = "container", at: float = 0.0, **attributes: str) -> float:
        """Send an event to all who listen; give its time."""
        nanos = int((at or time.time()) * 1e9)
        actor = {"ID": identity, "Attributes": {"name": self._name(identity), **attributes}}
        if kind == "network":
            about = {"container": identity, "name": "bridge", "type": "bridge"} | attributes
            actor = {"ID": about.pop("network", "n" * 64), "Attributes": about}
        event = {"Type": kind, "Action": action, "Actor": actor, "time": nanos // 10**9, "timeNano": nanos}
        self._ring.append(event)
        for queue in self._queues:
            queue.put_nowait(event)
        return nanos / 1e9

    def break_streams(self) -> None:
        """End every event stream."""
        for queue in self._queues:
            queue.put_nowait(None)

    def restart(self) -> None:
        """Forget the ring, as a new engine process does, and end every stream."""
        self._ring.clear()
        self.break_streams()

    def inspected(self, identity: str) -> int:
        """Count the inspects of a container."""
        return sum(path.endswith(f"/containers/{identity}/json") for path in self.asked)

    def application(self) -> web.Application:
        """Give it as an aiohttp application."""
        app = web.Application(middlewares=[self._middle])
        app.router.add_get("/version", self._version)
        app.router.add_get("/_ping", self._ping)
        app.router.add_get("/{api}/containers/json", self._list)
        app.router.add_get("/{api}/containers/{id}/json", self._inspect)
        app.router.add_get("/{api}/networks", self._networks)
        app.router.add_get("/{api}/info", self._info)
        app.router.add_post("/{api}/containers/{id}/kill", self._kill)
        app.router.add_get("/{api}/events", self._events)
        return app

    def _name(self, identity: str) -> str:
        return str(self.containers.get(identity, {}).get("Name", "")).lstrip("/")

    @web.middleware
    async def _middle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        self.methods.add(request.method)
        for ending, gate in list(self.hold.items()):
            if request.path.endswith(ending):
                await gate.wait()
        for ending, (status, message) in self.refuse.items():
            if request.path.endswith(ending):
                return web.json_response({"message": message}, status=status)
        api = request.match_info.get("api", "").lstrip("v")
        if api and not (_numbers(self.min_api) <= _numbers(api) <= _numbers(self.api)):
            return web.json_response({"message": f"client version {api} is out of range"}, status=400)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": self.api, "MinAPIVersion": self.min_api, "Version": self.version})

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _list(self, _: web.Request) -> web.Response:
        live = [doc["Id"] for doc in self.containers.values() if doc["State"]["Status"] in LIVE]
        self.listed.set()
        if self.after_listing is not None:
            await self.after_listing.wait()
        return web.json_response([{"Id": identity} for identity in live])

    async def _inspect(self, request: web.Request) -> web.Response:
        asked = request.match_info["id"]
        doc = next((doc for identity, doc in self.containers.items() if identity.startswith(asked)), None)
        if doc is None:
            return web.json_response({"message": "No such container"}, status=404)
        return web.json_response(doc)

    async def _networks(self, _: web.Request) -> web.Response:
        return web.json_response([{"Id": identity, "Driver": driver} for identity, driver in self.networks.items()])

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(self.info)

    async def _kill(self, request: web.Request) -> web.Response:
        self.signals.append((request.match_info["id"], request.query["signal"]))
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        filters = json.loads(request.query["filters"])
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(request)
        if self.before_subscribing is not None:
            await self.before_subscribing.wait()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        since = float(request.query["since"])
        for past in self._ring:
            if past["timeNano"] / 1e9 >= since:
                queue.put_nowait(past)
        self._queues.append(queue)
        self.watched.set()
        try:
            while (event := await queue.get()) is not None:
                if event["Type"] in filters["type"] and event["Action"].partition(":")[0] in filters["event"]:
                    await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self._queues.remove(queue)
            if not self._queues:
                self.watched.clear()
        return response


@contextlib.asynccontextmanager
async def serving(
    engine: FakeEngine | web.Application, socket: Path | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve an engine (or anything else) on a unix socket, or on a free port of 127.0.0.1; give its host as written."""
    app = engine.application() if isinstance(engine, FakeEngine) else engine
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
    await runner.setup()
    try:
        if socket is not None:
            await web.UnixSite(runner, str(socket)).start()
            yield f"unix://{socket}"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            yield f"tcp://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        if isinstance(engine, FakeEngine):
            engine.break_streams()
        await runner.cleanup()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
