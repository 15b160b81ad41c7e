"""One life of `longshore register`: who it is, its registrar, the configuration read again on SIGHUP, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.register_answers import RegisterAnswers
from longshore.agent.register_identity import Lock, owner_of
from longshore.agent.register_setup import name_of, section_of
from longshore.agent.registrar import Registrar
from longshore.agent.report import Refused
from longshore.config.load import Loaded, set_aside
from longshore.core.model import Problem


async def registrar_of(loaded: Loaded, journal: Journal, meter: Metrics) -> Registrar:
    """Make this host's registrar. Raises OSError if the state directory is of no use."""
    section = section_of(loaded)
    engine = section.docker if section.containers else None
    owner = await owner_of(loaded.config.state_dir, name_of(loaded), engine)
    return Registrar(loaded, owner, journal, meter)


class RegisterLife:
    """Everything that runs between `longshore register` and its end."""

    answers: RegisterAnswers
    registrar: Registrar

    def __init__(self, loaded: Loaded, reread: Callable[[], Loaded]) -> None:
        """`reread` reads the configuration anew, from where the first came. Raises TakenError, OSError."""
        self._lock = Lock(loaded.config.state_dir)
        self.loaded = loaded
        self._reread = reread
        self._rereading = asyncio.Lock()

    async def prepare(self) -> None:
        """Make all parts; `answers` works from here on."""
        meter = Metrics(lambda: self.answers.status())
        self.registrar = await registrar_of(self.loaded, Journal(), meter)
        self.answers = RegisterAnswers(self.registrar, meter, self.reread)
        self.answers.configuration = set_aside(self.loaded)

    async def serve(self, stop: asyncio.Event) -> None:
        """Register until `stop` is set."""
        run = asyncio.create_task(self.registrar.run(), name="registrar")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({run, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                run.result()
        finally:
            for task in (run, stopped):
                task.cancel()
            await asyncio.gather(run, stopped, return_exceptions=True)

    async def end(self, *, keep: bool) -> None:
        """Withdraw everything, or leave it to be adopted."""
        await self.registrar.close(keep=keep)
        self._lock.close()

    async def reread(self) -> str:
        """SIGHUP: read the configuration again. Says what was done."""
        async with self._rereading:
            new = self._reread()
            if new.valid is None or new.valid.register_ is None:
                what = f"the configuration has {len(new.problems)} problem(s); the last good one stays in use"
                if new.valid is not None:
                    what = "the configuration has no section `register` any more; the last one stays in use"
                self.answers.configuration = tuple(problem.as_problem() for problem in new.problems)
                raise Refused(what, "longshore check shows what is wrong")
            self.answers.configuration = set_aside(new)
            if new.config.state_dir != self.loaded.config.state_dir:
                what = "state-dir has changed and only counts at the next start"
                self.answers.configuration += (Problem("configuration", what, "Restart longshore register."),)
            self.loaded = new
            await self.registrar.reread(new)
            return "the configuration was read again"
