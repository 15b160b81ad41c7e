"""One agent of another machine, heard over HTTP: its snapshots, a line each, as they come.

    GET /v1/snapshot?follow HTTP/1.1          200, then for ever: a line of JSON, or an empty one as sign of life
    Authorization: Bearer TOKEN

The lines are `core.machine_snapshot`'s. Whatever goes wrong is an AgentError.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

from longshore.clients.faults import Fault, TlsFault, first_line
from longshore.clients.http1 import LIMIT, Http, Streams
from longshore.clients.http_faults import FOREIGN, explain, hung_up
from longshore.clients.tls import TlsFiles, client_context
from longshore.core.places import joined

CONNECT = 3.0
"""Seconds for a connection, and for the first word of an answer."""
SILENCE = 15.0
"""Seconds without a line after which an agent counts as gone; it gives a sign of life every few."""


class AgentError(Fault):
    """An agent cannot be heard."""


@dataclass(frozen=True, slots=True)
class AgentAccess:
    """What every agent asks for. `name` is what their certificates carry."""

    token: str = ""
    tls: TlsFiles | None = None
    name: str = ""


@contextlib.asynccontextmanager
async def hear(address: str, port: int, access: AgentAccess) -> AsyncIterator[AsyncIterator[bytes]]:
    """Subscribe to an agent; give its lines. The first comes at once. Raises AgentError, while it iterates too."""
    where = f"the agent at {joined(address, port)}"
    context = _context(access.tls)
    name = access.name or address

    async def dial() -> Streams:
        server = name if context else None
        return await asyncio.open_connection(address, port, ssl=context, server_hostname=server, limit=LIMIT)

    fields = {"Authorization": f"Bearer {access.token}"} if access.token else None
    http = Http(dial, joined(address, port), fields)
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT):
                head, lines = await stack.enter_async_context(http.stream("/v1/snapshot?follow=true"))
                said = b"" if head.status == 200 else await anext(lines, b"")
        except FOREIGN as error:
            raise _fault(error, where, access.tls) from error
        if head.status != 200:
            raise _refused(head.status, said, where)
        yield _each(lines, where)


async def _each(lines: AsyncIterator[bytes], where: str) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                line = await anext(lines, None)
        except FOREIGN as error:
            raise _fault(error, where) from error
        if line is None:
            raise AgentError(f"{where} ended its stream", "is it restarting?")
        if line.strip():
            yield line


def _context(tls: TlsFiles | None) -> ssl.SSLContext | None:
    try:
        return client_context(tls) if tls else None
    except TlsFault as fault:
        raise AgentError(fault.what, fault.hint) from fault


def _fault(error: BaseException, where: str, tls: TlsFiles | None = None) -> AgentError:
    what, hint = explain(error, where)
    if tls is not None and hung_up(error):  # TLS 1.3: only after the handshake it learns that it dislikes ours
        hint = f"it may want {'another' if tls.cert else 'a'} certificate of ours: check tls cert and key"
    return AgentError(what, hint)


def _refused(status: int, said: bytes, where: str) -> AgentError:
    if status == 401:
        return AgentError(f"{where} refuses our token", "both must read the same token: check token-file on both sides")
    return AgentError(f"{where} answers {status} {first_line(said)}".rstrip())
