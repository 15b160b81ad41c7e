"""Whom the registrar asks, and how a connection to it is made."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from longshore.agent.first_check import tls_of
from longshore.core.registration import GUEST, Login


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """Whom to ask, and what counts as a good answer.

    `tls` is for grpc and redis: ask over TLS; for tls and https: "verify" trusts only the system's authorities, else
    any certificate is fine.
    """

    address: str  # an IP address or a name
    port: int
    container: str = ""  # its id, for exec
    health: str = ""  # what the engine says of its HEALTHCHECK: "", "starting", "healthy", "unhealthy"
    host: str = ""  # Host header, :authority and SNI; "" is "localhost" over HTTP, the address over TLS
    status: str = "200-399"  # of HTTP: "200", "200-299", "200,204,301"
    expect: str = ""  # text that the body of an HTTP answer must contain
    tls: Literal["", "verify", "insecure"] = ""
    proxied: bool = False  # a published port: its forwarder accepts first and finds out later that nobody listens
    headers: tuple[tuple[str, str], ...] = ()  # of an HTTP request, beside or in place of our own
    login: Login = GUEST
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"  # of an HTTP request


@contextlib.asynccontextmanager
async def connected(
    target: CheckTarget, protocol: str = ""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, over TLS if asked (`protocol` is what ALPN offers then); it is gone afterwards."""
    context: ssl.SSLContext | None = None
    if target.tls:
        context = tls_of(target.tls, protocol)
    name = (target.host or target.address) if context else None
    reader, writer = await asyncio.open_connection(target.address, target.port, ssl=context, server_hostname=name)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # nothing is in the buffers that anybody waits for
