"""What an agent serves: the snapshot of its machine, once or as a stream of whole ones, a line each.

    GET /v1/snapshot            one line; 503 as long as the engine has not been asked
    GET /v1/snapshot?follow     a line at once and at each change, an empty one every few seconds as sign of life
    GET /healthz, /readyz       200 while it is alive; once it can tell anything

Who may call is `guard`'s; TLS, and whose certificates are asked for, is the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Self

from aiohttp import web

from longshore.agent.node import NodeAgent
from longshore.clients.tls import as_ever
from longshore.config.agent import AgentConfig, AgentTls
from longshore.web.answers import Fault, errors
from longshore.web.guard import guard, host_of, is_loopback
from longshore.web.server import listen, read_token, said

BEAT = 4.0
"""Seconds between signs of life."""
SHUTDOWN = 1.0


class Cannot(Exception):  # noqa: N818 - says what is the case
    """The snapshot cannot be served. `hint` says what to do."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class Snapshots:
    """The server, while the context is open."""

    def __init__(self, agent: NodeAgent, settings: AgentConfig) -> None:
        self._agent = agent
        self._settings = settings
        self._closing = False
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        token, context, listening = await asyncio.to_thread(self._prepare)
        app = web.Application(middlewares=[errors, guard(token, unix=False)])
        app.router.add_get("/v1/snapshot", self._snapshot)
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN)
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=context, backlog=128).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        for listener in self._agent.listeners:
            listener.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def _prepare(self) -> tuple[str, ssl.SSLContext | None, socket.socket]:
        settings = self._settings
        try:
            token = read_token(settings.token_file)
        except (OSError, ValueError) as error:
            hint = "write one line with the token into it, the same as on the balancers"
            raise Cannot(f"the token file {settings.token_file} is of no use: {said(error)}", hint) from None
        tls = settings.serve_tls
        if not token and not (tls and tls.client_ca) and not is_loopback(host_of(settings.bind)):
            hint = "set agent.token-file (in a Swarm a secret), or agent.serve-tls with client-ca"
            raise Cannot(f"other machines can reach {settings.bind}, and nothing guards what is told there", hint)
        context = _context(tls) if tls else None
        host, _, port = settings.bind.rpartition(":")
        try:
            listening = listen(host.removeprefix("[").removesuffix("]"), int(port))
        except OSError as error:
            hint = "end that program, or set agent.bind to another address"
            raise Cannot(f"cannot listen on {settings.bind}: {said(error)}", hint) from None
        return token, context, listening

    async def _snapshot(self, request: web.Request) -> web.StreamResponse:
        if not self._agent.line:
            problem = self._agent.problem
            raise Fault(503, problem.what if problem else "the engine has not been asked yet", "try again in a moment")
        if request.query.get("follow", "false").lower() in ("0", "false", "no"):
            return web.Response(body=self._agent.line, content_type="application/json")
        return await self._follow(request)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-cache"})
        await response.prepare(request)
        news = asyncio.Event()
        self._agent.listeners.add(news)
        try:
            sent = b""
            while not self._closing:
                current = self._agent.line
                await response.write(b"\n" if current is sent else current)
                sent = current
                await _wait(news)
        except ConnectionError:
            pass  # the listener went
        finally:
            self._agent.listeners.discard(news)
        return response

    async def _readyz(self, request: web.Request) -> web.Response:
        ready = bool(self._agent.line) and self._agent.problem is None
        return web.Response(text="ready\n" if ready else "not ready yet\n", status=200 if ready else 503)


async def _wait(news: asyncio.Event) -> None:
    """Wait for news, at most until the next sign of life."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BEAT):
            await news.wait()
    news.clear()


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="alive\n")


def _context(tls: AgentTls) -> ssl.SSLContext:
    """Make the server's side of TLS. Raises Cannot."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(Path(tls.cert), Path(tls.key), password=lambda: "")
        if tls.client_ca:
            context.load_verify_locations(Path(tls.client_ca))
            context.verify_mode = ssl.CERT_REQUIRED
            as_ever(context)
    except (OSError, ssl.SSLError) as error:
        what = f"agent.serve-tls is of no use: {error.strerror or error}"
        raise Cannot(what, "all must be PEM files, the key without a password and made for the certificate") from None
    return context
