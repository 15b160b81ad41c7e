"""`longshore socket-proxy`: the engine's socket for readers, as a process of its own beside the balancer."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import Parameter

from longshore.agent.socket_proxy import SocketProxy
from longshore.agent.socket_proxy_place import PlaceError, become
from longshore.agent.socket_proxy_place import listen as open_socket
from longshore.cli import logs
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.notify import Notify
from longshore.clients.docker_connect import Where, parse_host, way_to
from longshore.clients.docker_faults import DockerError
from longshore.web.guard import is_loopback

ENGINE = "unix:///var/run/docker.sock"
LISTEN = "unix:///run/longshore/docker.sock"

log = structlog.get_logger()


def socket_proxy(
    *,
    engine: Annotated[
        str, Parameter(show_default=True, help="The engine: unix:///path, tcp://HOST:PORT or ssh://USER@HOST.")
    ] = ENGINE,
    listen: Annotated[
        str, Parameter(show_default=True, help="Where to listen: unix:///path, or tcp://127.0.0.1:PORT.")
    ] = LISTEN,
    mode: Annotated[
        str, Parameter(show_default=True, help="Permissions of the unix socket: 660 is for its user and group.")
    ] = "660",
    user: Annotated[
        str,
        Parameter(
            help="Started as root: become this user, with the group of the engine's socket, before anything is served."
        ),
    ] = "",
    log: Annotated[
        logs.Style, Parameter(show_default=True, help="How to log: for people, key=value or JSON.")
    ] = "auto",
) -> int:
    """Offer the engine's socket to those who only read: GET of what discovery takes, the stream of events included.

    Everything else is refused and logged. So the balancer never holds the real socket, which is as good as root.
    """
    way = _engine(engine)
    place = _place(listen)
    permissions = _mode(mode)
    logs.set_up(log)
    try:
        if user:
            become(user, way)
        opened = open_socket(place, permissions)
    except PlaceError as error:
        raise End(FINDING, error.what, error.hint) from None
    try:
        return asyncio.run(_run(engine, listen, opened))
    finally:
        opened.close()
        if place.scheme == "unix":
            Path(place.path).unlink(missing_ok=True)


def _engine(engine: str) -> Where:
    try:
        return parse_host(engine)
    except DockerError as error:
        raise End(USAGE, error.what, error.hint) from None


def _place(address: str) -> Where:
    """Read where to listen: a path, or a loopback address. Beyond this machine nobody could tell who asks."""
    hint = f"like {LISTEN} or tcp://127.0.0.1:2375"
    try:
        where = parse_host(address)
    except DockerError:
        raise End(USAGE, f"{address!r} is no address to listen on", hint) from None
    if where.scheme == "ssh":
        raise End(USAGE, f"{address!r} is no address to listen on", hint)
    if where.scheme == "tcp" and not is_loopback(where.name):
        what = f"{address} could be reached by other machines; only loopback addresses and unix sockets are offered"
        raise End(USAGE, what, f"{hint}; containers share a unix socket through a volume")
    return where


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0o600 <= mode <= 0o777:
        raise End(USAGE, f"{text!r} are no permissions of a socket", "three octal digits, like 660")
    return mode


async def _run(engine: str, where: str, opened: socket.socket) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with way_to(engine, None, "ssh") as http:
            proxy = SocketProxy(http, engine)
            log.info("offering the engine to readers", at=where, engine=engine)
            Notify().ready()
            await proxy.serve(opened, stop)
    except DockerError as error:
        raise End(FINDING, error.what, error.hint) from None
    log.info("the end", refused=proxy.refusals.count)
    return FINE
