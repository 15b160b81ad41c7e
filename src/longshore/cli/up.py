"""`longshore up`: the balancer, from its start to its end. Parts are put together here; what they do is `agent.life`'s.

SIGTERM and SIGINT drain and stop HAProxy (with --leave-running it goes on), SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from longshore import __version__
from longshore.agent.life import Life
from longshore.agent.report import Refused
from longshore.cli import logs
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.forerunners import by_environment, docker_discover_reader, reading, synapse_reader, tell_notes
from longshore.cli.notify import Notify
from longshore.cli.options import ConfigFile, DockerDiscover, Synapse
from longshore.cli.telling import tell_journal, tell_problems
from longshore.clients.haproxy_faults import HAProxyError
from longshore.config import ConfigError, Loaded
from longshore.web.server import SOCKET, SocketTaken, Web, answers

log = structlog.get_logger()


def up(
    *,
    config: ConfigFile = None,
    synapse: Synapse = None,
    docker_discover: DockerDiscover = False,
    state_dir: Annotated[
        Path | None,
        Parameter(
            help="Where to keep sockets, HAProxy's files and the last good state, instead of the configured one."
        ),
    ] = None,
    leave_running: Annotated[
        bool,
        Parameter(
            negative="", help="When longshore ends, leave HAProxy serving; the next `longshore up` takes it over."
        ),
    ] = False,
    share_ports: Annotated[
        bool,
        Parameter(
            negative="",
            help="Listen where another HAProxy does, take over from it when ready; needs a state directory of its own.",
        ),
    ] = False,
    log: Annotated[
        logs.Style, Parameter(show_default=True, help="How to log: for people, key=value or JSON.")
    ] = "auto",
) -> int:
    """Balance: discover services, and keep HAProxy serving exactly what runs, until SIGTERM or Ctrl-C.

    Without a configuration file it follows the local Docker engine and listens for HTTP on port 80 (8080 if not root).
    SIGHUP reads the configuration again. SIGTERM drains and stops HAProxy.
    """
    environ = dict(os.environ)
    if state_dir:
        environ["LONGSHORE_STATE_DIR"] = str(state_dir.absolute())
    if share_ports:
        environ["LONGSHORE_HAPROXY_SHARE_PORTS"] = "true"

    synapse = by_environment("SYNAPSE_CONFIG", synapse, environ, config, docker_discover)
    foreign = {
        "--synapse": synapse_reader(synapse, environ),
        "--docker-discover": docker_discover_reader(docker_discover, environ),
    }
    read = reading(config, environ, foreign)
    loaded = read()
    try:
        folder = loaded.config.state_dir
    except ConfigError as error:
        hint = "`longshore check` checks it without starting anything"
        raise End(FINDING, "\n".join(map(str, error.problems)), hint) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder}: the state directory cannot be made: {error.strerror or error}"
        raise End(FINDING, what, "use sudo, or choose another one with --state-dir") from None
    logs.set_up(log)
    tell_notes(loaded)
    return asyncio.run(Run(loaded, read, leave_running=leave_running).run())


class Run:
    """One run of the program."""

    def __init__(self, loaded: Loaded, read: Callable[[], Loaded], *, leave_running: bool) -> None:
        self._config = loaded.config
        self._life = Life(loaded, read)
        self._leave_running = leave_running
        self._notify = Notify()
        self._stop = asyncio.Event()
        self._started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code."""
        self._heed_signals()
        self._spawn(self._notify.keep_alive())
        state, admin = self._config.state_dir, self._config.admin
        if await asyncio.to_thread(answers, state / SOCKET):
            raise End(FINDING, f"another longshore runs with the state directory {state}", "end it, or use --state-dir")
        try:
            await self._life.prepare()
            touch = self._life.balancer.journal.touch
            share = self._config.haproxy.share_ports
            web = Web(
                self._life.answers, state, bind=admin.bind, token_file=admin.token_file, changed=touch, beside=share
            )
            async with web:
                self._life.answers.reached, self._life.answers.waited = lambda: web.problems, lambda: web.pending
                self._spawn(tell_journal(self._life.answers))
                self._spawn(tell_problems(self._life.answers))
                return await self._serve()
        except (HAProxyError, SocketTaken, ValueError) as error:
            raise End(FINDING, getattr(error, "what", str(error)), getattr(error, "hint", "")) from None
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self) -> int:
        leave_running = self._leave_running
        code = FINE
        try:
            if await self._start():
                haproxy = self._life.answers.haproxy()
                addresses = " ".join(haproxy.addresses) or "nothing"
                log.info("serving", addresses=addresses, haproxy=haproxy.version, longshore=__version__)
                self._notify.ready()
                await self._life.serve(self._stop)
                self._notify.stopping()
                if not leave_running:
                    log.info("draining and stopping HAProxy", at_most=f"{self._life.loaded.config.haproxy.drain:g} s")
        except HAProxyError:
            raise
        except Exception:
            log.exception("longshore ends by a defect of its own; please report it. HAProxy goes on serving")
            leave_running, code = True, FINDING
        finally:
            await self._life.end(leave_running=leave_running)
        return code

    async def _start(self) -> bool:
        """Start; False if told to stop meanwhile."""
        start = asyncio.create_task(self._life.start())
        stop = asyncio.create_task(self._wait_for_stop())
        try:
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not start.done():
                return False
            start.result()
        finally:
            for task in (start, stop):
                task.cancel()
            await asyncio.gather(start, stop, return_exceptions=True)
        self._started.set()
        return True

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reread()))

    async def _reread(self) -> None:
        await self._started.wait()
        with self._notify.reloading(), suppress(Refused):  # it has been logged, problem by problem
            log.info(await self._life.reread())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
