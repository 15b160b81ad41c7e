"""One attempt to reach an endpoint, of the kind that HAProxy repeats later: TCP connect, TLS handshake, HTTP answer.

`begin` only starts a connection, so that it is on its way in the very moment an endpoint becomes known; `passed` tells
whether that was all; `check` finishes it and raises `CheckFailed` with a sentence for people. Of an HTTP answer the
status counts, and the expected text in the body (never in a header), as in HAProxy's `http-check expect`; nothing is
read once the verdict is certain.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

from longshore.core.model import Check

MOST = 64 * 1024  # bytes of an answer that are read at most
MOMENT = 0.05  # seconds that a port forwarder gets to close a connection whose far end refuses


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and what counts as an answer."""

    address: str  # an IPv4 or IPv6 literal
    port: int
    check: Check = field(default_factory=Check)
    server_tls: Literal["", "verify", "insecure"] = ""
    proxied: bool = False  # a published port: its forwarder accepts first and finds out later that nobody listens
    headers: tuple[tuple[str, str], ...] = ()  # of an HTTP request, beside or in place of our own


class CheckFailed(Exception):  # noqa: N818 - an answer like any other, most often "not yet"
    """Why an endpoint did not pass."""


def begin(target: Target) -> socket.socket:
    """Start connecting, without waiting. Raises OSError if there is not even a socket."""
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex((target.address, target.port))  # its result comes again from `sock_connect`
    return sock


def passed(target: Target, sock: socket.socket) -> bool:
    """Say whether no more is asked than a connection, and it stands already, as it does on this machine's networks."""
    if target.check.kind != "tcp" or target.server_tls or target.proxied:
        return False
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


async def check(target: Target, sock: socket.socket, patience: float) -> None:
    """Finish what `begin` began and judge it; raise CheckFailed. `patience` is for the connection alone, in seconds.

    The socket is closed in any case.
    """
    limit = target.check.timeout
    try:
        async with told(limit):
            await _connected(target, sock, min(patience, limit))
            if target.check.kind == "http" or target.server_tls:
                await _talk(target, sock)
            elif target.proxied:
                await _stays_open(sock)
    finally:
        sock.close()


@contextlib.asynccontextmanager
async def told(limit: float) -> AsyncIterator[None]:
    """Give what happens inside `limit` seconds, and turn all that may go wrong with a connection into CheckFailed."""
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError:
        raise CheckFailed(f"no answer within {limit:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise CheckFailed(f"its certificate is not trusted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise CheckFailed(f"no TLS there: {(error.reason or str(error)).replace('_', ' ').lower()}") from None
    except OSError as error:
        raise CheckFailed(_words(error)) from None
    except ValueError as error:  # a name that is none
        raise CheckFailed(str(error)) from None


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return os.strerror(error.errno).lower() if error.errno else str(error) or "closed the connection"


async def _connected(target: Target, sock: socket.socket, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, (target.address, target.port))
    except TimeoutError:
        raise CheckFailed(f"no connection within {patience:.2g} s") from None


async def _stays_open(sock: socket.socket) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MOMENT):
            if not await asyncio.get_running_loop().sock_recv(sock, 1):
                raise CheckFailed("the published port closed the connection at once: nobody listens behind it")


async def _talk(target: Target, sock: socket.socket) -> None:
    tls = tls_of(target.server_tls) if target.server_tls else None
    name = (target.check.host or target.address) if tls else None
    reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name, limit=MOST)
    try:
        if target.check.kind == "http":
            writer.write(_request(target.check, target.headers))
            await _judge(target.check, reader)
    finally:
        writer.transport.abort()  # nothing is in the buffers that anybody waits for


def _request(check: Check, headers: tuple[tuple[str, str], ...]) -> bytes:
    said = {"Host": check.host or "localhost", "User-Agent": "longshore", "Accept": "*/*", "Connection": "close"}
    for name, value in headers:
        said = {key: other for key, other in said.items() if key.lower() != name.lower()} | {name: value}
    if any(ord(char) <= 32 or ord(char) == 127 for char in check.path + check.host):
        raise CheckFailed(f"the path {check.path!r} or the host {check.host!r} cannot be sent")
    lines = (f"{check.method} {check.path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items()))
    return "\r\n".join((*lines, "", "")).encode()


async def _judge(check: Check, reader: asyncio.StreamReader) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise CheckFailed(
            "closed the connection without a complete answer" if error.partial else "empty answer"
        ) from None
    except asyncio.LimitOverrunError:
        raise CheckFailed("the answer's headers are too long") from None
    first, _, headers = head.decode("latin-1").partition("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not status.isdecimal():
        raise CheckFailed(f"not an HTTP answer: {first[:60]!r}")
    if not status_matches(check.status, int(status)):
        raise CheckFailed(f"status {status} instead of {check.status}")
    if check.expect and not await _contains(reader, headers, check.expect.encode()):
        raise CheckFailed(f"the body does not contain {check.expect!r}")


def status_matches(wanted: str, status: int) -> bool:
    """Say whether a status is among "200-399" or "200,204,301-303"."""
    for part in wanted.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdecimal() and int(low) <= status <= int(high if high.isdecimal() else low):
            return True
    return False


async def _contains(reader: asyncio.StreamReader, headers: str, text: bytes) -> bool:
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(":") for line in headers.split("\r\n"))
    }
    if fields.get("transfer-encoding", "").endswith("chunked"):
        return await _chunks_contain(reader, text)
    length = fields.get("content-length", "")
    room = min(MOST, int(length)) if length.isdecimal() else MOST
    return await _bytes_contain(reader, bytearray(), room, text)


async def _bytes_contain(reader: asyncio.StreamReader, body: bytearray, room: int, text: bytes) -> bool:
    """Read up to `room` more bytes into `body`, and stop as soon as the text is in it."""
    end = len(body) + room
    while text not in body:
        data = await reader.read(min(4096, end - len(body))) if len(body) < end else b""
        if not data:
            return False
        body += data
    return True


async def _chunks_contain(reader: asyncio.StreamReader, text: bytes) -> bool:
    """Like `_bytes_contain`, for a chunked body (RFC 9112, section 7.1)."""
    body = bytearray()
    while len(body) < MOST:
        size_line = await reader.readline()
        try:
            size = int(size_line.partition(b";")[0], 16)
        except ValueError:
            return False
        if size <= 0:
            return False
        end = len(body) + size
        if await _bytes_contain(reader, body, min(size, MOST - len(body)), text):
            return True
        if len(body) < end:
            return False
        await reader.readline()
    return False


@functools.cache
def tls_of(kind: str, protocol: str = "") -> ssl.SSLContext:
    """Trust what HAProxy trusts: the system's authorities for `verify`, anybody for `insecure`; ask for a protocol."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if kind == "insecure":
        context.verify_mode = ssl.CERT_NONE
    if protocol:
        context.set_alpn_protocols([protocol])
    return context
