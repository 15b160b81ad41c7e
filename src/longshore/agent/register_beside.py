"""The registrar in the process of a balancer: there while the configuration has a section `register`.

It must never be in the balancer's way: whatever goes wrong with it becomes a problem in the status.
"""

from __future__ import annotations

import asyncio

import structlog

from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.pace import Backoff
from longshore.agent.register_identity import Lock, TakenError
from longshore.agent.register_life import registrar_of
from longshore.agent.registrar import Registrar
from longshore.agent.report import RegistrarStatus
from longshore.config.load import Loaded
from longshore.core.model import Problem

log = structlog.get_logger()


class Beside:
    """The registrar of this process, or none."""

    def __init__(self, journal: Journal, meter: Metrics) -> None:
        self._journal, self._meter = journal, meter
        self._registrar: Registrar | None = None
        self._lock: Lock | None = None
        self._run: asyncio.Task[None] | None = None
        self._problem: Problem | None = None
        self._taking = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, loaded: Loaded) -> None:
        """Work by this configuration from now on."""
        self._tasks.add(task := asyncio.create_task(self._take(loaded), name="registrar's configuration"))
        task.add_done_callback(self._tasks.discard)

    def status(self) -> RegistrarStatus | None:
        """How it stands."""
        return self._registrar.status() if self._registrar else None

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with it."""
        own = (self._problem,) if self._problem else ()
        return (*own, *self._registrar.problems()) if self._registrar else own

    async def end(self, *, keep: bool) -> None:
        """Withdraw everything, or leave it for the next run to adopt."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._leave(keep=keep)

    async def _take(self, loaded: Loaded) -> None:
        async with self._taking:
            self._problem = None
            try:
                if loaded.config.register_ is None:
                    await self._leave(keep=False)
                elif self._registrar is not None:
                    await self._registrar.reread(loaded)
                else:
                    await self._begin(loaded)
            except TakenError as error:
                self._problem = Problem("register", f"{error}: this one registers nothing", "end one of them")
            except OSError as error:
                self._problem = Problem("register", f"nothing is registered: {error}", "is state-dir writable?")
            except Exception:
                log.exception("the registrar failed at its configuration; please report this")
                self._problem = Problem("register", "failed at its configuration; the log says more", "Report it.")
            self._journal.touch()

    async def _begin(self, loaded: Loaded) -> None:
        """Start one. Raises TakenError, OSError."""
        lock = Lock(loaded.config.state_dir)
        try:
            self._registrar = await registrar_of(loaded, self._journal, self._meter)
        except BaseException:
            lock.close()
            raise
        self._lock = lock
        self._run = asyncio.create_task(self._forever(self._registrar), name="registrar")

    async def _leave(self, *, keep: bool) -> None:
        if self._run is not None:
            self._run.cancel()
            await asyncio.gather(self._run, return_exceptions=True)
        if self._registrar is not None:
            await self._registrar.close(keep=keep)
        if self._lock is not None:
            self._lock.close()
        self._registrar = self._run = self._lock = None

    async def _forever(self, registrar: Registrar) -> None:
        """A registrar never ends; if it does, it is a defect that must not end the balancer."""
        backoff = Backoff(1.0, 60.0)
        while True:
            try:
                await registrar.run()
            except Exception:
                log.exception("the registrar failed and is started again; please report this")
                what = "failed by a defect and is started again; the log says more"
                self._problem = Problem("register", what, "please report it")
                self._journal.touch()
            await asyncio.sleep(backoff.next())
