"""The balancer's loop: whatever changes, work out what is wanted and bring HAProxy there.

    source ─ snapshot ─┐
    source ─ snapshot ─┼─▶ Desired ─▶ Wanting ─▶ Driver ─▶ HAProxy
    operator, checks ──┘      services    backends   plan, apply

One task does that, woken by `poke`. A burst is coalesced by doing the next round when the last one is applied, never by
sleeping. Around it run the slow tasks: deleting what has retired, saving files, looking for drift, watching HAProxy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog

from longshore.agent import silence
from longshore.agent.connect import Setup
from longshore.agent.desired import Desired
from longshore.agent.driver import Done, Driver
from longshore.agent.journal import Journal
from longshore.agent.pace import Backoff, forever
from longshore.agent.ripe import Ripe, unheard
from longshore.agent.routed import Routed
from longshore.agent.sharing import Sharing
from longshore.agent.wanting import Wanting
from longshore.clients.haproxy_faults import HAProxyError
from longshore.core.model import Problem, Snapshot
from longshore.core.wanted import Wanted
from longshore.haproxy.contract import Reloaded
from longshore.haproxy.faults import ConfigError
from longshore.haproxy.observe import ServerStat, stats

FIRST_ANSWER = 10.0  # seconds that a start waits for every source's first answer
DRIFT = 10.0  # seconds between looks for drift, or 200 times as long as one takes
LOOK = 1.0  # seconds between looks at HAProxy's health checks

log = structlog.get_logger()


class Balancer:
    """Sources to HAProxy. `run` serves until it is cancelled; HAProxy is left running."""

    def __init__(self, setup: Setup, driver: Driver, desired: Desired, journal: Journal) -> None:
        self.setup = setup
        self.driver = driver
        self.desired = desired
        self.journal = journal
        self.wanting = Wanting(setup, driver, desired, self.poke)
        self.routed = Routed(journal, setup.meter)
        self.ripe = Ripe(desired, self.wanting, driver)
        self.sharing = Sharing(self.wanting.ports, driver.process.runtime().path, journal.add, self.poke)
        self.stats: dict[tuple[str, str], ServerStat] = {}
        self.trouble: Problem | None = None  # why the last round failed
        self.ready = False
        self.judging = False  # HAProxy refused something, and has not taken all the rest yet
        self.started = time.time()
        self.haproxy_started = 0.0
        self._changed = asyncio.Event()
        self._begun = self._ended = 0  # rounds

    def publish(self, snapshot: Snapshot) -> None:
        """Take a source's snapshot."""
        if self.desired.publish(snapshot):
            self.poke()

    def poke(self, *, recheck: bool = False) -> None:
        """Something changed: do a round. `recheck`: what HAProxy runs may not be what we left there."""
        self.wanting.recheck = self.wanting.recheck or recheck
        self._changed.set()

    async def reload(self, reason: str) -> Reloaded:
        """Reload HAProxy because somebody asked for it, or because a certificate changed. Raises `HAProxyError`."""
        return await self.driver.reload(self._want(), reason)

    async def settled(self) -> None:
        """Wait until a round that knows everything said so far has ended."""
        target = self._begun + 1
        self.poke()
        while self._ended < target:
            await self.journal.next_change(self.journal.seq)

    async def judged(self) -> None:
        """Wait until HAProxy has also found what it does not take of it, and runs the rest."""
        await self.settled()
        while self.judging:
            await self.settled()

    async def start(self) -> None:
        """Adopt or start HAProxy, as soon as the sources have said what there is. Raises `HAProxyError`."""
        self.driver.files.prepare()
        adopted = await self.driver.adopt()
        if adopted:
            self.wanting.adopted()
            self.journal.add("HAProxy adopted", f"pid {self.driver.process.pid} was running and goes on unchanged")
        await self.desired.first_answers(FIRST_ANSWER)
        if not adopted:
            await self._launch()
        self.haproxy_started = time.time()
        self.wanting.recheck = True
        await self._round()

    async def _launch(self) -> None:
        """Start HAProxy with what is wanted; what it refuses is set aside."""
        while True:
            wanted = self._want()
            try:
                await self.driver.start(wanted)
                break
            except ConfigError as error:
                if not self._set_aside(error, wanted):
                    raise self._explained(error) from error
        self.journal.add("HAProxy started", f"pid {self.driver.process.pid}")

    async def run(self) -> None:
        """All loops, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, work in self._tasks().items():
                group.create_task(work, name=name)

    async def close(self) -> None:
        """Stop probing and write what runs and what is known to disk."""
        await self.wanting.admission.prober.close()
        self.desired.save()
        try:
            await self.driver.save()
        except HAProxyError as error:
            log.warning("the files of HAProxy could not be written", error=str(error))

    def _tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "rounds": self._rounds(),
            "tidy": forever("tidy", self._tidy),
            "save": forever("save", self._save),
            "drift": forever("drift", self._drift),
            "look": forever("look", self._look),
            "supervise": forever("supervise", self._supervise),
            "clock": forever("clock", self._clock),
            "sharing": forever("sharing", self.sharing.watch),
            "silence": forever("silence", lambda: silence.watch(lambda: self.driver.running, self.journal.add)),
        }

    async def _rounds(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while True:
            await self._changed.wait()
            self._changed.clear()
            if await self._round():
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next())
                self.poke(recheck=True)

    async def _round(self) -> bool:
        """Work out what is wanted and bring HAProxy there. False: it must be tried again."""
        self._begun += 1
        number = self._begun
        try:
            return await self._one_round()
        finally:
            self._ended = number
            self.journal.touch()

    async def _one_round(self) -> bool:
        wanted = self._want()
        began = time.monotonic()
        try:
            done = await self.driver.apply(wanted)
        except HAProxyError as error:
            return self._failed(error, wanted)
        except Exception as error:
            log.exception("a round failed")
            self.judging = False
            self._say_trouble(Problem("longshore", f"a round failed: {error!r}", "This is a defect: please report it."))
            return False
        self.trouble = None
        self.judging = trying = self.wanting.taken(wanted)
        if trying:
            self.poke(recheck=True)
        self._note(done)
        if done.steps:
            self.setup.meter.applied(time.monotonic() - began)
        whole = self.desired.complete and not trying
        addresses = self.driver.running.addresses if self.driver.running else frozenset()
        barren = self.ripe.barren(wanted, self.setup.frontends, self.stats)
        self.sharing.note(addresses, ready=whole and not self._unripe(), barren=barren)
        self.ready = self.ready or (whole and self.sharing.settled)
        return not done.refused

    def _unripe(self) -> tuple[str, ...]:
        return self.ripe.unripe(self.stats, time.time() - self.haproxy_started)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Why it is not ready yet."""
        if self.ready:
            return ()
        shared = (*self._unripe(), *self.sharing.waits_for) if self.sharing.waiting else self.sharing.waits_for
        trouble = (self.trouble.what,) if self.trouble else ()
        starts = () if self.driver.running else ("HAProxy, which is not started yet",)
        return tuple(dict.fromkeys((*unheard(self.desired.snapshots), *trouble, *shared))) or starts

    def _want(self) -> Wanted:
        return self.wanting.wanted(self.setup, self.stats)

    def _failed(self, error: HAProxyError, wanted: Wanted) -> bool:
        self.judging = isinstance(error, ConfigError) and self._set_aside(error, wanted)
        if self.judging:
            self.poke(recheck=True)
            return True
        error = self._explained(error)
        self._say_trouble(Problem("HAProxy", error.what, error.hint))
        return False

    def _set_aside(self, error: ConfigError, wanted: Wanted) -> bool:
        return self.wanting.refused(error.faults, error.why, wanted)

    def _explained(self, error: HAProxyError) -> HAProxyError:
        """The same, at the place of the operator's own line that HAProxy means."""
        meant = self.wanting.lines.problems if isinstance(error, ConfigError) else ()
        return HAProxyError(f"{meant[0].where}: {meant[0].what}", meant[0].hint) if meant else error

    def _say_trouble(self, problem: Problem) -> None:
        if self.trouble != problem:
            self.journal.add(problem.what, problem.hint)
        self.trouble = problem

    def _note(self, done: Done) -> None:
        running = self.driver.running
        if running is not None:
            self.routed.note(done.steps, running, self.wanting.known, self.wanting.wanter)
            self.routed.all_in(running)
        refused = {refusal.step for refusal in done.refused}
        for step in done.steps:
            self.setup.meter.step(type(step).__name__, ok=step not in refused)
        for refusal in done.refused:
            log.warning("HAProxy refused a step", step=repr(refusal.step), answer=refusal.answer)
        for told in self.wanting.declared(done.refused):
            self.journal.add(told.where, told.what, told.service)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            left = await self.driver.tidy()
            if left:
                await asyncio.sleep(2.0)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(await self.driver.save())
            self.desired.save()

    async def _drift(self) -> None:
        pause = DRIFT
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            for found in await self.driver.drift():
                self.journal.add("drift mended", found)
                self.poke(recheck=True)
            pause = max(DRIFT, 200 * (time.monotonic() - began))

    async def _look(self) -> None:
        while True:
            began = time.monotonic()
            now = await stats(self.driver.process.runtime(), self.stats)
            if {k: v.status for k, v in now.items()} != {k: v.status for k, v in self.stats.items()}:
                self.poke()  # it may matter to who comes first
            self.stats = now
            await asyncio.sleep(max(LOOK, 20 * (time.monotonic() - began)))

    async def _supervise(self) -> None:
        """HAProxy has ended by itself: start it again with all that ran."""
        how = await self.driver.process.wait_exit()
        self.journal.add("HAProxy ended", how)
        backoff = Backoff(0.05, 5.0)
        while True:
            try:
                await self._launch()
                break
            except HAProxyError as error:
                self._say_trouble(Problem("HAProxy", error.what, error.hint))
                await asyncio.sleep(backoff.next())
        self.haproxy_started = time.time()
        self.poke(recheck=True)

    async def _clock(self) -> None:
        """What only time changes: services are forgotten, drains become maint, busy addresses are tried again."""
        while True:
            await asyncio.sleep(1.0)
            if (
                self.wanting.admission.overdue(time.monotonic())
                or self.desired.tick(time.time())
                or self.wanting.ports.out
            ):
                self.poke()
