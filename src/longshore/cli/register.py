"""`longshore register`: the registrar, from its start to its end. What it does is `agent.registrar`'s.

SIGTERM and SIGINT withdraw everything (with --keep it is left to be adopted), SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from longshore import __version__
from longshore.agent.register_identity import TakenError
from longshore.agent.register_life import RegisterLife
from longshore.agent.report import Refused
from longshore.cli import logs
from longshore.cli.check import check
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.forerunners import by_environment, nerve_reader, reading, registrar_readers, tell_notes
from longshore.cli.options import (
    ConfigFile,
    DockerRegister,
    Forerunners,
    Nerve,
    NerveInstance,
    NerveOverlay,
    Registrator,
)
from longshore.cli.telling import tell_journal, tell_problems
from longshore.config import ConfigError, Loaded
from longshore.config.fields import optional_bind_address
from longshore.core.values import RefusedError
from longshore.web.server import REGISTER_SOCKET, SocketTaken, Web

log = structlog.get_logger()


def register(
    *,
    config: ConfigFile = None,
    nerve: Nerve = None,
    instance_id: NerveInstance = "",
    config_overlay: NerveOverlay = None,
    docker_register: DockerRegister = False,
    registrator: Registrator = None,
    state_dir: Annotated[
        Path | None, Parameter(help="Where to keep the socket and the owner's identity, instead of the configured one.")
    ] = None,
    keep: Annotated[
        bool,
        Parameter(
            negative="", help="When it ends, leave the entries: the next `longshore register` adopts them within a TTL."
        ),
    ] = False,
    admin: Annotated[
        str, Parameter(help='Serve the API and /metrics on this address too, like "127.0.0.1:8405".')
    ] = "",
    log: Annotated[
        logs.Style, Parameter(show_default=True, help="How to log: for people, key=value or JSON.")
    ] = "auto",
) -> int:
    """Register what runs on this host in etcd, ZooKeeper or Consul, for as long as it is healthy, until SIGTERM.

    The section `register` of the configuration says where and how. SIGHUP reads the configuration again. SIGTERM
    withdraws everything.
    """
    try:
        admin = optional_bind_address(admin)
    except RefusedError as error:
        raise End(USAGE, f"--admin: {error}", error.hint or "like --admin 127.0.0.1:8405") from None
    environ = dict(os.environ)
    if state_dir:
        environ["LONGSHORE_STATE_DIR"] = str(state_dir.absolute())

    readers = registrar_readers(environ, docker=docker_register, arguments=registrator)
    nerve = by_environment("NERVE_CONFIG", nerve, environ, config, *readers.values())
    readers |= nerve_reader(nerve, environ, instance=instance_id, overlay=config_overlay)
    if nerve and environ.get("NERVE_CHECK_CONFIG"):  # as Nerve's -k
        return check(forerunner=Forerunners(nerve=nerve, instance_id=instance_id, config_overlay=config_overlay))
    read = reading(config, environ, readers)
    loaded = read()
    try:
        folder = loaded.config.state_dir
    except ConfigError as error:
        hint = "`longshore check` checks it without starting anything"
        raise End(FINDING, "\n".join(map(str, error.problems)), hint) from None
    if loaded.config.register_ is None:
        where = loaded.path or "without a configuration file"
        raise End(FINDING, f"{where}: there is no section `register`", "write one: `register: {registry: etcd}`")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: the state directory cannot be made: {error.strerror or error}"
        raise End(FINDING, what, "use sudo, or choose another one with --state-dir") from None
    logs.set_up(log)
    tell_notes(loaded)
    return asyncio.run(Run(loaded, read, keep=keep, admin=admin).run())


class Run:
    """One run of the program."""

    def __init__(self, loaded: Loaded, read: Callable[[], Loaded], *, keep: bool, admin: str) -> None:
        try:
            self._life = RegisterLife(loaded, read)
        except TakenError as error:
            hint = "end it: one registrar is enough for a host, and two would undo each other's work"
            raise End(FINDING, str(error), hint) from None
        self._config = loaded.config
        self._keep, self._admin = keep, admin
        self._stop = asyncio.Event()
        self._started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Register until told to stop; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reread()))
        await self._life.prepare()
        answers, token = self._life.answers, self._config.admin.token_file
        web = Web(answers, self._config.state_dir, bind=self._admin, token_file=token, socket_name=REGISTER_SOCKET)
        try:
            async with web:
                answers.reached = lambda: web.problems
                self._spawn(tell_journal(answers))
                self._spawn(tell_problems(answers))
                return await self._serve()
        except SocketTaken as error:
            raise End(FINDING, str(error)) from None
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self) -> int:
        keep, code = self._keep, FINE
        registrar = self._life.registrar
        self._started.set()
        log.info("registering", owner=registrar.owner, longshore=__version__)
        try:
            await self._life.serve(self._stop)
            log.info("leaving the entries to the next run" if keep else "withdrawing everything")
        except Exception:
            log.exception("longshore ends by a defect of its own; please report it. The entries live on for a TTL")
            keep, code = True, FINDING
        finally:
            await self._life.end(keep=keep)
        return code

    async def _reread(self) -> None:
        await self._started.wait()
        try:
            log.info(await self._life.reread())
        except Refused as error:
            log.error(error.what, hint=error.hint)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
