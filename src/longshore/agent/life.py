"""One life of `longshore up`: parts from the configuration, sources, balancer; read again on SIGHUP; the end.

life = Life(loaded, reread)
await life.prepare()      HAProxy's binary asked, the state file read; `answers` works from here on
await life.start()        HAProxy adopted or started
await life.serve(stop)    until `stop` is set
await life.end(...)       HAProxy drained and stopped, or left running
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from longshore.agent import connect
from longshore.agent.answers import Answers
from longshore.agent.balancer import Balancer
from longshore.agent.certificates import Certificates, Change
from longshore.agent.collecting import collect_seldom
from longshore.agent.connect_origins import compositions
from longshore.agent.desired import Desired
from longshore.agent.driver import Driver
from longshore.agent.file_output import FileOutput
from longshore.agent.files import Files
from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.pace import Backoff
from longshore.agent.register_beside import Beside
from longshore.agent.report import Refused
from longshore.agent.store import Store
from longshore.agent.toggles import KEY, Toggles
from longshore.clients.haproxy_faults import HAProxyError
from longshore.config.load import Loaded, left_out, set_aside
from longshore.core.model import Problem, Service
from longshore.haproxy.capabilities import find_binary, probe
from longshore.sources.documents import fetch
from longshore.sources.registered import Gate

log = structlog.get_logger()


class Life:
    """Everything that runs between `longshore up` and its end."""

    answers: Answers
    balancer: Balancer
    registrar: Beside

    def __init__(self, loaded: Loaded, reread: Callable[[], Loaded]) -> None:
        """`reread` reads the configuration anew, from where the first came."""
        self.loaded = loaded
        self._reread = reread
        self._store = Store(loaded.config.state_dir)
        self._sources: dict[str, asyncio.Task[None]] = {}
        self.gates: dict[str, Gate] = {}  # of the sources that are registries, by name
        config = loaded.config
        self._certificates = Certificates(
            connect.certificates_of(config), config.state_dir / "certs", self._certificates_changed
        )
        self._rereading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """Make all parts. Raises `HAProxyError` or ValueError for what cannot work on this machine."""
        collect_seldom()
        config = self.loaded.config
        binary = find_binary(config.haproxy.binary)
        caps = await probe(binary)
        paths = connect.paths_of(config)
        process = connect.haproxy_of(config, paths, binary)
        state = self._store.load()
        journal = Journal()
        meter = Metrics(lambda: self.answers.status())
        await asyncio.to_thread(self._certificates.look)
        setup = connect.Setup(
            connect.process_of(config, paths, self.loaded.raw.process),
            connect.frontends_of(config, paths, self._certificates.usable),
            connect.busy_for(process, share=config.haproxy.share_ports),
            meter,
            connect.here_of(config),
            config.haproxy.share_ports,
        )
        desired = Desired(
            tuple(connect.source_names(self.loaded)),
            forget_after=config.forget_after,
            reserved=connect.reserved_of(config),
            store=self._store,
            state=state,
            raw=self.loaded.raw.services,
            compositions=compositions(self.loaded),
        )
        self._toggles = Toggles(lambda toggle: fetch(toggle, os.environ), self._toggled, state.extra.get(KEY))
        desired.composer.counts = self._toggles.counts
        desired.extras = lambda: {**self._toggles.told(), **self.balancer.ripe.told()}
        driver = Driver(
            process,
            caps,
            paths,
            Files(paths),
            lambda running: connect.always_of(running, paths),
            config.haproxy.spare_slots,
            journal.add,
        )
        self.balancer = Balancer(setup, driver, desired, journal)
        self._outputs = FileOutput(config.file_output, journal.touch)
        self._toggles.take(self.loaded)
        self.answers = Answers(self.balancer, lambda: connect.source_names(self.loaded), self.reload)
        self.answers.certificates = self._certificates.problems
        self._told(self.loaded)
        self.answers.configuration = set_aside(self.loaded)
        self.answers.gates = self.gates
        self.answers.outputs = self._outputs
        self.answers.toggles = self._toggles
        self.registrar = self.answers.registrar = Beside(journal, meter)
        if self._store.found:
            self.answers.at_start += (self._store.found,)

    async def start(self) -> None:
        """Start the sources, then adopt or start HAProxy. Raises `HAProxyError`."""
        self._start_sources()
        self.registrar.take(self.loaded)
        await self.balancer.start()

    async def serve(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        tasks = {
            asyncio.create_task(self.balancer.run(), name="balancer"),
            asyncio.create_task(self._certificates.watch(), name="certificates"),
            asyncio.create_task(self._outputs.follow(self.balancer.journal, self._served), name="file output follows"),
            asyncio.create_task(self._outputs.watch(), name="file output"),
            asyncio.create_task(self._wait(stop), name="stop"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _toggled(self, services: Collection[str]) -> None:
        """Other items of these services count now, or there is something else to say."""
        self.balancer.desired.recount(services)
        self.balancer.poke()

    def _served(self) -> tuple[Mapping[str, Service], bool]:
        """The services as they are served, and whether every source says that it knows all."""
        known = self.balancer.desired.snapshots.values()
        whole = all(snapshot is not None and not snapshot.stale for snapshot in known)
        return self.balancer.wanting.known, whole

    async def end(self, *, leave_running: bool) -> None:
        """Stop the sources, withdraw from registries; drain and stop HAProxy. Or leave registries and HAProxy as is."""
        for task in self._sources.values():
            task.cancel()
        await asyncio.gather(*self._sources.values(), return_exceptions=True)
        withdrawn = asyncio.create_task(self.registrar.end(keep=leave_running))  # beside the rest: it may take long
        await self.balancer.close()
        process = self.balancer.driver.process
        if leave_running or not process.managed:
            await process.close()
        else:
            await process.stop(self.loaded.config.haproxy.drain)
            await process.close()
        await withdrawn
        await self._toggles.close()
        await self._store.close()

    async def reread(self) -> str:
        """SIGHUP: read the configuration again; HAProxy is reloaded only if that is needed. Says what was done."""
        async with self._rereading:
            new = self._reread()
            if new.valid is None:
                problems = tuple(problem.as_problem() for problem in new.problems)
                self.answers.configuration = problems
                raise Refused(
                    f"the configuration has {len(problems)} problem(s); the last good one stays in use",
                    "longshore check shows them all",
                )
            self.answers.configuration = (*set_aside(new), *self._needs_restart(new))
            before, self.loaded = self.loaded, new
            self._told(new)
            self._take(before, new)
            await self.balancer.judged()
            return "the configuration was read again"

    async def reload(self, reason: str) -> str:
        """Read the configuration again and reload HAProxy, whether it needs that or not."""
        said = await self.reread()
        try:
            reloaded = await self.balancer.reload(reason)
        except HAProxyError as error:
            raise Refused(error.what, error.hint) from None
        return f"{said}; HAProxy was reloaded in {reloaded.seconds * 1000:.0f} ms"

    def _told(self, new: Loaded) -> None:
        self.answers.configured, self.answers.left_out = new.specs.keys(), left_out(new)

    def _take(self, before: Loaded, new: Loaded) -> None:
        config, driver = new.config, self.balancer.driver
        self._certificates.set_origins(connect.certificates_of(config))
        self._certificates.look()
        self._outputs.take(config.file_output)
        self.balancer.setup = connect.Setup(
            connect.process_of(config, driver.paths, new.raw.process),
            connect.frontends_of(config, driver.paths, self._certificates.usable),
            self.balancer.setup.busy,
            self.balancer.setup.meter,
            connect.here_of(config),
            self.balancer.setup.share,
        )
        driver.spare = config.haproxy.spare_slots
        changed = connect.changed_sources(before, new)
        self.balancer.desired.set_sources(
            tuple(connect.source_names(new)),
            changed=changed,
            forget_after=config.forget_after,
            reserved=connect.reserved_of(config),
            raw=new.raw.services,
            compositions=compositions(new),
        )
        self._toggles.take(new)
        for name in [n for n in self._sources if n in changed or n not in connect.source_names(new)]:
            self._sources.pop(name).cancel()
            self.gates.pop(name, None)
        self._start_sources(other=changed)
        self.registrar.take(new)
        self.balancer.wanting.judge_again()
        self.balancer.poke(recheck=True)

    def _start_sources(self, other: Collection[str] = ()) -> None:
        """Start those that do not run. What a source with `other` settings knew before is of no use to it."""
        last = {name: known for name, known in self.balancer.desired.last().items() if name not in other}
        work = connect.sources_of(self.loaded, self.balancer.publish, last, self.gates)
        for name, start in work.items():
            if name not in self._sources:
                self._sources[name] = asyncio.create_task(self._source(name, start), name=f"source {name}")

    async def _source(self, name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A source never ends; if it does, it is a defect that must not end the others."""
        backoff = Backoff(1.0, 60.0)
        while True:
            try:
                await start()
            except Exception:
                log.exception("a source failed and is started again; please report this", source=name)
            await asyncio.sleep(backoff.next())

    def _certificates_changed(self, changes: tuple[Change, ...]) -> None:
        self.answers.certificates = self._certificates.problems
        self.balancer.journal.touch()
        if changes:
            names = ", ".join(sorted({change.copy.name for change in changes}))
            self._tasks.add(task := asyncio.create_task(self._new_certificates(names)))
            task.add_done_callback(self._tasks.discard)

    async def _new_certificates(self, names: str) -> None:
        setup, driver = self.balancer.setup, self.balancer.driver
        frontends = connect.frontends_of(self.loaded.config, driver.paths, self._certificates.usable)
        try:
            if frontends != setup.frontends:
                self.balancer.setup = replace(setup, frontends=frontends)
                self.balancer.poke(recheck=True)
            else:
                await self.balancer.reload(f"certificates changed: {names}")
        except HAProxyError as error:
            log.error("HAProxy does not take the new certificates", why=error.what, hint=error.hint)

    @staticmethod
    async def _wait(stop: asyncio.Event) -> None:
        await stop.wait()

    def _needs_restart(self, new: Loaded) -> tuple[Problem, ...]:
        """Settings that only count when longshore starts."""
        now, then = self.loaded.config, new.config
        fixed = {
            "state-dir": (now.state_dir, then.state_dir),
            "admin": (now.admin, then.admin),
            "haproxy.mode": (now.haproxy.mode, then.haproxy.mode),
            "haproxy.binary": (now.haproxy.binary, then.haproxy.binary),
            "haproxy.share-ports": (now.haproxy.share_ports, then.haproxy.share_ports),
        }
        return tuple(
            Problem("configuration", f"{key} has changed and only counts at the next start", "Restart longshore up.")
            for key, (before, after) in fixed.items()
            if before != after
        )
