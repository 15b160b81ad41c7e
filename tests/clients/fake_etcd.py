"""An etcd gateway in this process that says what a test tells it to: refusals, silence, half a line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from longshore.clients.etcd import EtcdClient, Patience

HEADER = {"revision": "7", "member_id": "1"}
Answer = dict[str, Any] | web.StreamResponse
QUICK = Patience(answer=0.5, connect=0.5, quiet=0.05)
Play = Callable[[web.Request, dict[str, Any]], Awaitable[Answer] | Answer]


def refusal(message: str, code: int = 14, status: int = 503, *, series: str = "3.5") -> web.Response:
    """Refuse as etcd does: 3.4 says the message twice."""
    document: dict[str, Any] = {"code": code, "message": message}
    return web.json_response(document | ({"error": message} if series == "3.4" else {}), status=status)


class FakeEtcd:
    """One endpoint. `plays` answer by path ("kv/range"); without one everything is an empty success."""

    def __init__(self) -> None:
        self.plays = dict[str, Play]()
        self.asked = list[tuple[str, dict[str, Any]]]()
        self.headers = list[dict[str, str]]()
        self.url = ""
        self._released = asyncio.Event()

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    async def hang(self, _: web.Request, __: dict[str, Any]) -> Answer:
        """Say nothing until the end of the test."""
        await self._released.wait()
        return {}

    def streaming(self, *lines: bytes, close: bool = False) -> Play:
        """Play an answer that goes on: these pieces, then silence, or with `close` the end."""

        async def play(request: web.Request, _: dict[str, Any]) -> Answer:
            response = web.StreamResponse()
            response.enable_chunked_encoding()
            await response.prepare(request)
            for line in lines:
                await response.write(line)
            if not close:
                await self._released.wait()
            return response

        return play

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeEtcd]:
        """Serve on a free port; `url` tells where."""
        app = web.Application()
        app.router.add_post("/v3/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            self._released.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, document = request.match_info["path"], json.loads(await request.read())
        self.asked.append((path, document))
        self.headers.append(dict(request.headers))
        play = self.plays.get(path)
        answer = play(request, document) if play else {"header": HEADER}
        if not isinstance(answer, dict | web.StreamResponse):
            answer = await answer
        return web.json_response(answer) if isinstance(answer, dict) else answer


def client_of(*fakes: FakeEtcd, **options: Any) -> EtcdClient:
    """A client that starts with the first of these endpoints, and is soon impatient."""
    client = EtcdClient([fake.url for fake in fakes], **({"patience": QUICK} | options))
    client._gateway._current = 0  # not by lot
    return client
