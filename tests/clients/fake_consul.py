"""An agent of Consul in this process that says what a test tells it to: refusals, silence, odd indexes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from longshore.clients.consul import ConsulClient, Patience

QUICK = Patience(answer=1.0, connect=1.0, listing=1.0, hold=0.2, quiet=0.05, rest=0.05)
Play = Callable[[web.Request], Awaitable[web.StreamResponse] | web.StreamResponse]


def listed(rows: Any, index: int = 7, *, leader: bool = True) -> web.Response:
    """Answer as a server does for what it knows at an index."""
    text = rows if isinstance(rows, str) else json.dumps(rows, separators=(",", ":"))
    headers = {"X-Consul-Index": str(index), "X-Consul-KnownLeader": "true" if leader else "false"}
    return web.Response(text=text, headers=headers)


class FakeConsul:
    """One agent. `plays` answer by path ("health/state/any"), one after the other, the last one again and again."""

    def __init__(self, **plays: list[Play]) -> None:
        self.plays: dict[str, list[Play]] = {"status/leader": [lambda _: web.json_response("127.0.0.1:8300")]}
        self.asked = list[tuple[str, dict[str, str]]]()
        self.tokens = list[str]()
        self.bodies = list[bytes]()
        self.address = ""
        self._released = asyncio.Event()

    def play(self, path: str, *plays: Play | web.Response) -> None:
        """Answer questions for a path with these, then with the last one."""
        self.plays[path] = [play if callable(play) else _same(play) for play in plays]

    async def hang(self, _: web.Request) -> web.StreamResponse:
        """Say nothing until the end of the test."""
        await self._released.wait()
        return web.Response()

    def indexes(self, path: str) -> list[str]:
        """The indexes that were asked for, "" for none."""
        return [query.get("index", "") for asked, query in self.asked if asked == path]

    @contextlib.asynccontextmanager
    async def serving(self, socket: str = "") -> AsyncIterator[FakeConsul]:
        """Serve on a free port, or a unix socket; `address` tells where."""
        app = web.Application()
        app.router.add_route("*", "/v1/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
        await runner.setup()
        try:
            if socket:
                await web.UnixSite(runner, socket).start()
                self.address = f"unix://{socket}"
            else:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            self._released.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append((path, dict(request.query)))
        self.tokens.append(request.headers.get("X-Consul-Token", ""))
        self.bodies.append(await request.read())
        plays = self.plays.get(path)
        if not plays:
            return web.Response(status=404, text="404 page not found")
        answer = (plays.pop(0) if len(plays) > 1 else plays[0])(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer


def _same(response: web.Response) -> Play:
    """Say the same each time: a response can be sent only once."""
    return lambda _: web.Response(status=response.status, body=response.body, headers=response.headers.copy())


def client_of(fake: FakeConsul, **options: Any) -> ConsulClient:
    """A client that is soon impatient."""
    return ConsulClient(fake.address, **({"patience": QUICK} | options))
