"""The registrar: what of this host stands in the registries, for as long as it is fit to.

    the engine's containers ─┐                    ┌─▶ holder of etcd
                             ├─▶ checks ─▶ book ──┼─▶ holder of ZooKeeper
    plain processes ─────────┘                    └─▶ …

Every change of the one side makes a look at all of it, which says what is wanted from now on; the holders do the rest.
Nothing is wanted before the engine has been listed and every endpoint checked once: what an earlier run left in the
registries stays there until then, so that a restart is no gap.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from longshore.agent import register_setup as setup
from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.register_address import Own, own_address
from longshore.agent.register_book import Book
from longshore.agent.register_delays import Delays
from longshore.agent.register_engine import EngineHand
from longshore.agent.register_hands import Hands
from longshore.agent.register_heart import Heart
from longshore.agent.register_leases import Leases
from longshore.agent.register_processes import processes_of
from longshore.agent.register_watching import Watching
from longshore.agent.report import RegistrarStatus
from longshore.config.load import Loaded
from longshore.core.address import Here
from longshore.core.model import Problem
from longshore.core.places import joined
from longshore.core.registration import Options, Registration
from longshore.core.registrations import Registrations
from longshore.sources import docker
from longshore.sources.docker_picture import Picture, View

PATIENCE = docker.Patience(compare=60.0)
GRACE = 30.0  # seconds to wait for the engine, or the TTL if that is longer, before its containers count as gone
SOON = 2.0  # seconds without a word from the engine until it is said that it is waited for
SLACK = 0.5  # seconds beyond the slowest check to wait for the first results
LOOK_FOR_ADDRESS = 5.0  # seconds between looks at this host's address while it is not known, or may change

log = structlog.get_logger()


class Registrar:
    """Registers what runs on this host. `owner` is the same for each run on this host (`register_identity`)."""

    def __init__(self, loaded: Loaded, owner: str, journal: Journal, meter: Metrics) -> None:
        self.loaded, self.owner, self.journal = loaded, owner, journal
        self._options = setup.options_of(loaded, owner)
        self._here = Here()
        self._own = Own()
        self._view: View[Registration] = View()
        self._picture = Picture[Registration]("register", self._builder)
        self._book = Book()
        self._watching = Watching(self._look, lambda kind, ok: meter.checked(kind, ok=ok))
        self._delays = Delays(journal.add)
        self._leases = Leases(journal, meter)
        self._hands = Hands(self._leases, owner)
        self._heart = Heart(lambda: setup.section_of(self.loaded).heartbeat_file, self._is_well)
        self._begun = False  # whether anything has been wanted yet
        self._deadline = self._listed_at = 0.0  # by the loop's clock
        self._longest = GRACE
        self._waits = False  # whether it was said that the engine is waited for
        self._follower: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._engine: EngineHand | None = None
        self._taking = asyncio.Lock()
        self._closed = False

    async def run(self) -> None:
        """Work until cancelled; `close` must follow."""
        self._longest = max(GRACE, setup.section_of(self.loaded).ttl)
        self._deadline = self._now + self._longest
        async with self._taking:
            await self._find_address()
            await self._hands.take(self.loaded)
            self._follow()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._leases.run())
            group.create_task(self._mind_address())
            group.create_task(self._heart.run())
            self._look()

    async def close(self, *, keep: bool) -> None:
        """End: withdraw everything at once, or with `keep` leave it for the next run to adopt.

        A configuration that is just being taken in is taken in first; none is after this.
        """
        async with self._taking:
            self._closed = True
            await self._close(keep=keep)

    async def _close(self, *, keep: bool) -> None:
        if self._alarm:
            self._alarm.cancel()
        if self._follower:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        for key in () if keep else self._book.wanted:
            self._leases.want(key, "longshore ends")
        await self._hands.close(keep=keep)
        await self._watching.close()
        await self._delays.close()
        if self._engine:
            await self._engine.close()
        self._leases.look()

    async def reread(self, loaded: Loaded) -> None:
        """Take in another configuration. What stays as it is does not leave the registries for a moment."""
        async with self._taking:
            if self._closed:
                return
            before, self.loaded = self.loaded, loaded
            section, was = setup.section_of(loaded), setup.section_of(before)
            self._options = setup.options_of(loaded, self.owner)
            await self._find_address()
            self._rebuild()
            if (section.docker, section.containers) != (was.docker, was.containers):
                self._picture = Picture("register", self._builder)  # what the other engine runs stays until this tells
                self._follow()
            await self._hands.take(loaded)
            self._look()
            self._heart.soon()

    def _is_well(self) -> bool:
        """Whether the heart may beat."""
        return self._begun and not self._leases.away and not self._hands.problems

    @property
    def ready(self) -> bool:
        """Whether everything that is fit stands in every registry."""
        return self._begun and self._leases.settled(self._book.wish)

    def status(self) -> RegistrarStatus:
        """How everything stands."""
        return RegistrarStatus(
            self.owner,
            self._options.name,
            self._with_address(self._options).address,
            self._leases.registries(),
            self._leases.shown(self._book.standings, self.owner),
        )

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong."""
        engine = map(setup.engine_problem, self._view.problems)
        found = [*self._address_problems(), *engine, *self._book.problems(), *self._leases.problems()]
        found += self._hands.problems
        found += [problem for problem in (self._delays.problem, self._heart.problem) if problem]
        return tuple(dict.fromkeys(found))

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _builder(self, here: Here) -> Registrations:
        self._here = here
        return Registrations(self._with_address(replace(self._options, here=here)))

    def _with_address(self, options: Options) -> Options:
        here = self._here
        return setup.with_address(options, here.remote or (self._own.address if here.on_host else ""))

    def _follow(self) -> None:
        """Follow the engine of the configuration, and none else."""
        if self._follower:
            self._follower.cancel()
            self._follower = None
        section = setup.section_of(self.loaded)
        old, self._engine = self._engine, EngineHand(section.docker) if section.containers else None
        self._watching.hand = self._delays.hand = self._engine
        if old:
            asyncio.get_running_loop().create_task(old.close())
        if not section.containers:
            self._view = View(whole=True)
            return
        work = docker.follow(section.docker, self._picture, self._see, patience=PATIENCE)
        self._follower = asyncio.create_task(work, name="registrar's engine")

    def _rebuild(self) -> None:
        """Make all entries of containers anew, by other options."""
        self._picture.rebuild()
        if self._picture.whole:
            self._view = self._picture.view()

    def _see(self, view: View[Registration]) -> None:
        """Take in what the engine runs; while it is away, and before it was listed, what was known stays."""
        self._view = view if view.whole or not self._view.whole else replace(self._view, problems=view.problems)
        self._look()

    def _registrations(self) -> dict[str, Registration]:
        options = self._with_address(self._options)
        found = {each.key: each for each in self._view.made}
        return found | {each.key: each for each in processes_of(self.loaded, options)}

    def _look(self) -> None:
        """Look at everything, and say what is wanted from now on."""
        registrations = self._registrations()
        self._watching.want(registrations)
        self._delays.see(registrations.values())
        if not self._may_begin():
            return
        began, self._begun = not self._begun, True
        came, left = self._book.look(registrations, self._watching.belief, self._now)
        for key in came:
            self._leases.want(key, "at the start" if began else self._why(registrations[key]))
        for key in left:
            standing = self._book.standings.get(key)
            self._leases.want(key, standing.told if standing else "it is gone")
        for key in self._book.shadowed:
            self.journal.add(f"{key} changes faster than its rate limit allows", "the limit only tells (shadow)")
        self._book.shadowed.clear()
        self._hands.want(self._book.wish)
        self._leases.poke()
        self.journal.touch()
        if (pause := self._book.next_look(self._now)) is not None:
            self._wake_after(pause)

    def _may_begin(self) -> bool:
        """Whether enough is known to tell what must not stand in the registries."""
        if self._begun:
            return True
        if not self._view.whole:
            if self._now < self._deadline:
                self._tell_waiting()
                self._wake_after(min(self._deadline - self._now, SOON))
                return False
            log.warning("the engine does not answer; only plain processes are registered until it does")
            return True
        self._listed_at = self._listed_at or self._now
        rest = self._listed_at + self._watching.longest + SLACK - self._now
        if self._watching.settled or rest <= 0:
            return True
        self._wake_after(rest)
        return False

    def _tell_waiting(self) -> None:
        """Say, once, that nothing is registered yet for want of the engine: if it does not answer soon, or cannot."""
        rest = self._deadline - self._now
        if not self._waits and (self._view.problems or rest < self._longest - SOON / 2):
            self._waits = True
            why = "; ".join(problem.what for problem in self._view.problems)
            self.journal.add(f"waiting for the engine, {rest:.0f} s at most, before anything is registered", why)

    def _wake_after(self, seconds: float) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(max(seconds, 0.01), self._look)

    @staticmethod
    def _why(registration: Registration) -> str:
        entry, asked = registration.entry, registration.asked
        return f"{entry.name} at {joined(entry.host, entry.port)}, {registration.place}; {asked} answers"

    async def _mind_address(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_ADDRESS)
            if await self._find_address():
                self.journal.add(f"this host's address is {self._own.address or 'not known any more'}", self._own.why)
                self._rebuild()
                self._look()

    async def _find_address(self) -> bool:
        """Look for this host's address, if the configuration does not say it; tell whether it is another one now."""
        if self._options.address:
            return False
        found = await own_address(tuple(setup.registries_of(self.loaded).values()))
        if not found.address and self._own.address:
            return False  # the network is away for a moment: so are the registries
        before, self._own = self._own, found
        return found != before

    def _address_problems(self) -> list[Problem]:
        if self._with_address(self._options).address or self._own == Own():  # it has not been looked for yet
            return []
        section = setup.section_of(self.loaded)
        if not section.containers and all(process.address for process in section.services.values()):
            return []  # nobody needs it
        what = f"it is not known where other hosts reach this one: {self._own.why}"
        if not self._here.on_host:
            what = "it is not known where other hosts reach this one: longshore runs in a container of its own network"
        hint = "say it: `register: {address: 10.0.0.5}`"
        if not self._here.on_host:
            hint += ", or run longshore with `--network host`"
        return [Problem("register", what, hint)]
