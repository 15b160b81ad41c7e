"""Where a Docker Engine is, and the way to it: unix socket, TCP, TCP with TLS, or a tunnel over SSH.

`parse_host` reads what people write into DOCKER_HOST; `way_to` opens the way and gives what aiohttp needs.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiohttp

from longshore.clients.docker_faults import DockerError
from longshore.clients.docker_ssh import tunnel
from longshore.clients.faults import TlsFault
from longshore.clients.tls import TlsFiles, client_context

FORMS = "unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST[:PORT][/PATH/TO/SOCKET]"
SOCKET = "/var/run/docker.sock"
KEEP_ALIVE = 300.0
"""Seconds an idle connection is kept: the inspect after an event finds one open."""


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
async def way_to(host: str, tls: TlsFiles | None, ssh: str) -> AsyncIterator[tuple[aiohttp.BaseConnector, str]]:
    """Open the way to the engine; give a connector (the caller closes it) and the base URL. Raises DockerError.

    `ssh` is the program that makes the tunnel of an ssh:// host.
    """
    where = parse_host(host)
    if where.scheme == "unix":
        yield aiohttp.UnixConnector(where.path, limit=0, keepalive_timeout=KEEP_ALIVE), "http://docker"
    elif where.scheme == "ssh":
        async with tunnel(host, where.user, where.name, where.port, where.path, ssh) as path:
            yield aiohttp.UnixConnector(str(path), limit=0, keepalive_timeout=KEEP_ALIVE), "http://docker"
    else:
        yield _tcp(tls), f"{'https' if tls else 'http'}://{_bracketed(where.name)}:{where.port}"


def _tcp(tls: TlsFiles | None) -> aiohttp.TCPConnector:
    if tls is None:
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
    try:
        context = client_context(tls)
    except TlsFault as fault:
        raise DockerError(fault.what, fault.hint) from fault
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=context)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
