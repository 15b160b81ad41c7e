"""Where the socket proxy listens, and as whom: its socket is made, and root's rights are given up, before it serves."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from pathlib import Path

from longshore.clients.docker_connect import Where
from longshore.clients.faults import Fault

LONGEST_PATH = 107  # bytes in sockaddr_un.sun_path, without the final NUL
BACKLOG = 128


class PlaceError(Fault):
    """It cannot listen there, or not as that user."""


def listen(where: Where, mode: int) -> socket.socket:
    """Open the socket: a unix socket with these permissions, or a TCP address of this machine. Raises PlaceError."""
    if where.scheme == "tcp":
        return _listen_tcp(where.name, where.port)
    path = Path(where.path)
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise PlaceError(f"{path}: too long for a socket's path", f"use a path of at most {LONGEST_PATH} bytes")
    try:
        _clear(path)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(opened.fileno(), mode)  # the file that bind makes takes this mode: it is never open to others
            opened.bind(os.fspath(path))
            path.chmod(mode)
            opened.listen(BACKLOG)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        hint = "make its folder, writable for the user that the proxy runs as, or name another path with --listen"
        raise PlaceError(f"{path}: cannot open the socket: {error.strerror}", hint) from error
    opened.setblocking(False)
    return opened


def _listen_tcp(name: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        opened = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise PlaceError(f"cannot listen on {name}:{port}: {error.strerror}", "name another with --listen") from error
    opened.setblocking(False)
    return opened


def _clear(path: Path) -> None:
    """Remove a socket that a proxy left over; never one that is used, nor anything else."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise PlaceError(f"{path} is there already and no socket", "name another path with --listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # not sure: rather refuse than take a living one's place
    raise PlaceError(f"{path} is in use: something listens there already", "end it, or name another path with --listen")


def become(user: str, engine: Where) -> None:
    """Give up root's rights for good: run as `user`, with the group of the engine's socket and no other.

    Raises PlaceError.
    """
    if os.geteuid() != 0:
        raise PlaceError(f"only root can become the user {user}", "leave out --user, or start it as root")
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PlaceError(f"there is no user {user}", "name another one with --user") from None
    groups = {_group_of(engine.path)} if engine.scheme == "unix" else set[int]()
    try:
        os.setgroups(sorted(groups))
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except PermissionError:
        hint = "in a container, add the capabilities SETUID and SETGID: they are given up with root's rights"
        raise PlaceError(f"cannot become the user {user}: operation not permitted", hint) from None
    if engine.scheme == "unix" and not os.access(engine.path, os.R_OK | os.W_OK):
        names = ", ".join(_group_name(number) for number in groups)
        hint = f"its permissions must let its group ({names}) read and write, or leave out --user"
        raise PlaceError(f"{engine.path}: the user {user} may not open it", hint)


def _group_of(path: str) -> int:
    try:
        return Path(path).stat().st_gid
    except OSError as error:
        hint = "start the engine first, or name its socket with --engine; in a container, mount it"
        raise PlaceError(f"{path}: {error.strerror}", hint) from None


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
