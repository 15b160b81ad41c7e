"""Where a Docker Engine is, and the way to it: unix socket, TCP, TCP with TLS, or a tunnel over SSH.

`parse_host` reads what people write into DOCKER_HOST; `way_to` opens the way and gives what makes connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

from longshore.clients.docker_faults import DockerError
from longshore.clients.docker_ssh import real_name, tunnel
from longshore.clients.faults import TlsFault
from longshore.clients.http1 import LIMIT, Dial, Http, Streams
from longshore.clients.tls import TlsFiles, client_context

FORMS = "unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST[:PORT][/PATH/TO/SOCKET]"
SOCKET = "/var/run/docker.sock"
CONNECT = 5.0
"""Seconds for a connection to come about, TLS included."""


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed host. `path` is the socket (unix, and ssh on the far side); `name` and `port` the machine (tcp, ssh)."""

    scheme: Literal["unix", "tcp", "ssh"]
    path: str = ""
    name: str = ""
    port: int = 0
    user: str = ""


def parse_host(host: str) -> Where:
    """Read "unix:///path", "tcp://host:port" or "ssh://user@host:port/path". Raises DockerError."""
    wrong = DockerError(f"{host!r} is no address of a Docker Engine", f"write {FORMS}")
    scheme, separator, rest = host.partition("://")
    if not separator or any(c.isspace() or not c.isprintable() for c in host):
        raise wrong
    if scheme == "unix":
        if not rest.startswith("/"):
            raise wrong
        return Where("unix", path=unquote(rest))
    try:
        parts = urlsplit(host)
        name, port, user = parts.hostname or "", parts.port or 0, unquote(parts.username or "")
    except ValueError as error:
        raise wrong from error
    if not name or name.startswith("-") or user.startswith("-"):
        raise wrong
    if scheme == "tcp" and not user and parts.path in ("", "/"):
        return Where("tcp", name=name, port=port or 2375)
    if scheme == "ssh" and not parts.password:
        path = unquote(parts.path) if parts.path not in ("", "/") else SOCKET
        return Where("ssh", path=path, name=name, port=port, user=user)
    raise wrong


@contextlib.asynccontextmanager
async def way_to(host: str, tls: TlsFiles | None, ssh: str) -> AsyncIterator[Http]:
    """Open the way to the engine. Raises DockerError.

    `ssh` is the program that makes the tunnel of an ssh:// host.
    """
    where = parse_host(host)
    async with contextlib.AsyncExitStack() as stack:
        if where.scheme == "tcp":
            http = Http(_tcp(where, _context(tls)), f"{_bracketed(where.name)}:{where.port}")
        else:
            path = where.path
            if where.scheme == "ssh":
                path = str(await stack.enter_async_context(tunnel(host, where.user, where.name, where.port, path, ssh)))
            http = Http(_unix(path), "docker")
        stack.push_async_callback(http.close)
        yield http


def _unix(path: str) -> Dial:
    async def dial() -> Streams:
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_unix_connection(path, limit=LIMIT)

    return dial


def _tcp(where: Where, context: ssl.SSLContext | None) -> Dial:
    async def dial() -> Streams:
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_connection(where.name, where.port, ssl=context, limit=LIMIT)

    return dial


async def machine(host: str, ssh: str) -> str:
    """Give the IP address of the machine an engine runs on, "" if it is this one. Raises DockerError.

    ssh has the last word on names of its own (`Host` and `HostName` in ~/.ssh/config).
    """
    where = parse_host(host)
    if where.scheme == "unix":
        return ""
    name = where.name if where.scheme == "tcp" else await real_name(ssh, where.user, where.name, where.port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DockerError(f"{host}: the name {name} does not resolve", "check the name and the DNS server") from error
    addresses = [str(entry[4][0]) for entry in found]
    return "" if any(_is_ours(address) for address in addresses) else addresses[0]


def _is_ours(address: str) -> bool:
    """Say whether an address belongs to this machine: only then can a socket be bound to it."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.is_loopback:
        return True
    with socket.socket(socket.AF_INET6 if parsed.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((str(parsed), 0))
        except OSError:
            return False
    return True


def _context(tls: TlsFiles | None) -> ssl.SSLContext | None:
    try:
        return client_context(tls) if tls else None
    except TlsFault as fault:
        raise DockerError(fault.what, fault.hint) from fault


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
