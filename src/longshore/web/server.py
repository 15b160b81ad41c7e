"""Where the API is served: always on a unix socket in the state directory, and on the admin address if there is one.

The socket is how the commands reach the agent, so failing to open it ends the start. The admin address is a
convenience: what is wrong with it becomes a `Problem`, and the balancer runs all the same. Is another program there, it
is tried again until it is free: a longshore that takes another one's place has to wait for its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Self

from aiohttp import web

from longshore.agent.report import Agent
from longshore.core.model import Problem
from longshore.haproxy.addresses import busy as busy_addresses
from longshore.web.api import application
from longshore.web.guard import host_of, is_loopback

SOCKET, REGISTER_SOCKET = "longshore.sock", "register.sock"  # of the balancer, and of a registrar of its own
LONGEST_PATH = 107  # bytes in sockaddr_un.sun_path, without the final NUL
SHUTDOWN = 1.0  # seconds that running requests get when the server stops
AGAIN = 1.0  # seconds until a busy admin address is tried again


class SocketTaken(Exception):  # noqa: N818 - says what is the case
    """The socket cannot be opened: another agent uses this state directory, or the path is of no use."""


class Web:
    """The API, served while the context is open.

    `bind` is the admin address ("127.0.0.1:8404", "[::1]:8404", ":8404"), "" for none; `token_file` holds the token
    that callers over TCP must send. After entering, `problems` tells what is wrong with the admin address; when that
    is over, `changed` is called. With `beside` it is no wonder that another has the address: `pending` tells that.
    """

    def __init__(
        self,
        agent: Agent,
        state_dir: Path,
        *,
        bind: str = "",
        token_file: Path | None = None,
        socket_name: str = SOCKET,
        changed: Callable[[], object] = lambda: None,
        beside: bool = False,
    ) -> None:
        self.path = state_dir / socket_name
        self.problems: tuple[Problem, ...] = ()
        self.pending: tuple[str, ...] = ()
        self._beside = beside
        self._agent = agent
        self._bind = bind
        self._token_file = token_file
        self._runners: list[web.AppRunner] = []
        self._inode = 0
        self._changed = changed
        self._again: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        opened = await asyncio.to_thread(open_socket, self.path)
        self._inode = (await asyncio.to_thread(self.path.stat)).st_ino
        await self._serve(application(self._agent, unix=True), opened)
        if self._bind:
            await self._serve_admin()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
        for runner in reversed(self._runners):
            await runner.cleanup()
        await asyncio.to_thread(self._remove)

    async def _serve(self, app: web.Application, listening: socket.socket) -> None:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN)
        self._runners.append(runner)
        await runner.setup()
        await web.SockSite(runner, listening, backlog=128).start()

    async def _serve_admin(self) -> None:
        where = f"admin address {self._bind}"
        host, _, port = self._bind.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        try:
            token = await asyncio.to_thread(read_token, self._token_file)
        except (OSError, ValueError) as error:
            what = f"the token file {self._token_file} is of no use: {said(error)}"
            self.problems += (Problem(where, what, "write one line with the token into it; the API is off until then"),)
            return
        if not token and not is_loopback(host_of(self._bind)):
            what = "other machines can reach this address, and no token is set: the API is not served here"
            self.problems += (Problem(where, what, "set admin.token-file, or bind to 127.0.0.1"),)
            return
        try:
            listening = listen(host, int(port))
        except OSError as error:
            busy = error.errno == errno.EADDRINUSE
            by = await asyncio.to_thread(_holder, self._bind) if busy else ""
            if busy and self._beside:
                self.pending = (f"{where}: when {by} has ended",)
            else:
                hint = f"end {by}, or set admin.bind to another address; it is tried again" if busy else ""
                self.problems += (Problem(where, f"cannot listen: {said(error)}", hint),)
            if busy:
                self._again = asyncio.create_task(self._serve_when_free(host, int(port), token))
            return
        await self._serve(application(self._agent, token=token, unix=False), listening)

    async def _serve_when_free(self, host: str, port: int, token: str) -> None:
        listening = None
        while listening is None:
            await asyncio.sleep(AGAIN)
            with contextlib.suppress(OSError):
                listening = listen(host, port)
        await self._serve(application(self._agent, token=token, unix=False), listening)
        self.problems, self.pending = (), ()
        self._changed()

    def _remove(self) -> None:
        try:
            if self.path.stat().st_ino == self._inode:  # not the socket of an agent that came after us
                self.path.unlink()
        except OSError:
            pass


def open_socket(path: Path) -> socket.socket:
    """Open the unix socket for its owner only. One left over by an agent that died is replaced."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SocketTaken(f"{path}: too long for a socket's path ({LONGEST_PATH} bytes); choose a shorter state-dir")
    try:
        left_over = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        left_over = False
    if left_over:
        if answers(path):
            raise SocketTaken(f"{path}: another longshore runs with this state directory; end it or choose another one")
        path.unlink()
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(opened.fileno(), 0o600)  # the file that bind makes takes this mode: it is never open to others
        opened.bind(os.fspath(path))
        path.chmod(0o600)
        opened.listen(128)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        raise SocketTaken(f"{path}: cannot open the socket: {said(error)}") from error
    return opened


def answers(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return os.path.lexists(path)  # not sure: rather refuse than take a living agent's place
    return True


def listen(host: str, port: int) -> socket.socket:
    """Open the admin address; "" is every address of the machine, IPv4 and, where there is any, IPv6."""
    if host:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _holder(address: str) -> str:
    return next((each.owner for each in busy_addresses([address]) if each.taken), "the program that has it")


def read_token(path: Path | None) -> str:
    """Read the token; "" when there is no file for one."""
    if path is None:
        return ""
    token = path.read_text(encoding="utf-8").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("expected one word of printable ASCII characters")
    return token


def said(error: Exception) -> str:
    """Say what the system said, without its numbers."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
