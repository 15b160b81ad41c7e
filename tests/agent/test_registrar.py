"""The registrar against an engine and a registry in this process: what is wanted, when, and why not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import register_delays, register_hands, registrar
from longshore.agent.connect_holders import holder_of
from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.registrar import Registrar
from longshore.agent.report import Status
from longshore.cli.shown_registrar import registrar_lines
from longshore.config import load
from longshore.config.load import Loaded
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core.entries import Entry
from longshore.registries.hold import LeaseStatus
from longshore.sources.docker import Patience
from tests.clients.fake_engine import FakeEngine, serving
from tests.lab.waiting import eventually

LABELS = {"longshore.service": "web", "longshore.register-check": "none"}


class FakeHolder:
    """Holds at once what it is told to hold."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.wanted: Mapping[str, Entry] | None = None
        self.wishes = list[set[str]]()
        self.closed: bool | None = None  # with what `keep`
        self.away: str | None = ""
        self.refuses = set[str]()  # names of entries

    def want(self, entries: Mapping[str, Entry]) -> None:
        self.wanted = dict(entries)
        self.wishes.append(set(entries))

    async def run(self) -> None:
        await asyncio.Event().wait()

    def leases(self) -> tuple[LeaseStatus, ...]:
        return tuple(self._lease(key, each) for key, each in (self.wanted or {}).items())

    def _lease(self, key: str, entry: Entry) -> LeaseStatus:
        status = LeaseStatus(entry.service, entry.id, f"{self.prefix}/{key}", "etcd", "held", time.time(), 10.0)
        return replace(status, state="refused", error="no right (grant it)") if entry.name in self.refuses else status

    def trouble(self) -> str | None:
        return self.away

    async def close(self, *, keep: bool) -> None:
        self.closed = keep
        if not keep:
            self.wanted = {}


class Desk:
    """A registrar at work, its journal and its holders; the last one is that of the present configuration."""

    def __init__(self, folder: Path, host: str, monkeypatch: pytest.MonkeyPatch, **register: Any) -> None:
        self.folder, self.host, self.register = folder, host, register
        self.holders = list[FakeHolder]()
        self.journal = Journal()
        monkeypatch.setattr(register_hands, "holder_of", self._holder)
        self.registrar = Registrar(self.loaded(), "box.1", self.journal, Metrics(lambda: Status("1")))

    def loaded(self, prefix: str = "/a", **more: Any) -> Loaded:
        section = {"address": "10.0.0.5", "docker": {"host": self.host}, **self.register, **more}
        path = self.folder / "longshore.yaml"
        path.write_text(json.dumps({"sources": {"etcd": {"prefix": prefix}}, "register": section}))
        found = load(path, {})
        assert not found.problems, found.problems
        return found

    def _holder(self, loaded: Loaded, name: str, owner: str, ttl: float, *, state_dir: Path) -> FakeHolder:
        self.holders.append(FakeHolder(getattr(loaded.config.sources[name], "prefix", "")))
        return self.holders[-1]

    @property
    def names(self) -> set[str] | None:
        """The names of what is wanted; None: nothing was said yet."""
        wanted = self.holders[-1].wanted if self.holders else None
        return None if wanted is None else {entry.name for entry in wanted.values()}

    async def until(self, *names: str) -> None:
        """Wait until exactly these are wanted."""
        await eventually(lambda: self.names == set(names), what=f"{names} are wanted")


@contextlib.asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.create_task(desk.registrar.run())
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await desk.registrar.close(keep=True)


def public(name: str, engine: FakeEngine, number: int = 1, **labels: str) -> str:
    """Run a container that publishes its port."""
    identity = engine.add(name, f"172.18.0.{number + 1}", labels=LABELS | labels)
    ports = {"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(32768 + number)}]}
    engine.containers[identity]["NetworkSettings"]["Ports"] = ports
    engine.emit("start", identity)
    return identity


async def test_what_runs_is_wanted_and_goes_at_its_stop_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    one = public("one", engine)
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await desk.until("one")
        public("two", engine, 2)
        await desk.until("one", "two")
        engine.emit("kill", one, signal="1")
        public("three", engine, 3)
        await desk.until("one", "two", "three")
        engine.emit("kill", one, signal="15")
        await desk.until("two", "three")
        await eventually(lambda: any(e.what.startswith("withdrew web/") for e in desk.journal.after()))
        withdrawn = next(e for e in desk.journal.after() if e.what.startswith("withdrew web/"))
        assert withdrawn.why == "its stop signal was sent"
        assert desk.registrar.ready


async def test_nothing_is_said_before_everything_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier run's entries would be removed: the first wish is a whole one."""
    engine = FakeEngine()
    public("one", engine)
    slow = public("two", engine, 2)
    engine.hold[f"{slow}/json"] = asyncio.Event()
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await eventually(lambda: any(slow in path for path in engine.asked))
        assert desk.names is None
        assert not desk.registrar.ready
        engine.hold.pop(f"{slow}/json").set()
        await desk.until("one", "two")
        assert len(desk.holders[0].wishes[0]) == 2


async def test_an_engine_that_is_away_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registrar, "GRACE", 0.1)
    process = {"db": {"port": 5432, "check": "none"}}
    desk = Desk(tmp_path, "unix:///nowhere.sock", monkeypatch, services=process, name="box", ttl="2s")
    async with at_work(desk):
        await desk.until("box")
        assert any("the socket does not exist" in problem.what for problem in desk.registrar.problems())


async def test_that_the_engine_is_waited_for_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the cure for a host that has none."""
    async with at_work(Desk(tmp_path, "unix:///nowhere.sock", monkeypatch)) as desk:
        await eventually(lambda: [e for e in desk.journal.after() if e.what.startswith("waiting for the engine, 30 s")])
        assert desk.names is None, "it is waited for"
        (problem,) = desk.registrar.problems()
        assert "containers: false" in problem.hint


async def test_an_engine_that_says_nothing_is_waited_for_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "SOON", 0.1)
    engine = FakeEngine()
    slow = public("one", engine)
    engine.hold[f"{slow}/json"] = asyncio.Event()
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await eventually(lambda: [e for e in desk.journal.after() if e.what.startswith("waiting for the engine")])
        engine.hold.pop(f"{slow}/json").set()
        await desk.until("one")


async def test_while_the_engine_is_away_everything_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, socket = FakeEngine(), tmp_path / "docker.sock"
    async with at_work(Desk(tmp_path, f"unix://{socket}", monkeypatch)) as desk:
        public("one", engine)
        async with serving(engine, socket):
            await desk.until("one")
        await eventually(lambda: desk.registrar.problems())
        assert desk.names == {"one"}
        public("two", engine, 2)
        async with serving(engine, socket):
            await desk.until("one", "two")


async def test_an_event_that_was_lost_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's list is compared now and then."""
    monkeypatch.setattr(registrar, "PATIENCE", Patience(compare=0.05))
    engine = FakeEngine()
    one = public("one", engine)
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await desk.until("one")
        monkeypatch.setattr(engine, "emit", lambda *_, **__: 0.0)
        public("two", engine, 2)
        await desk.until("one", "two")
        engine.state(one, Status="exited")
        await desk.until("two")


async def test_another_configuration_leaves_what_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    public("one", engine)
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await desk.until("one")
        (first,) = desk.holders
        await desk.registrar.reread(desk.loaded(tags=["new"]))
        assert desk.holders == [first], "the same place, the same hand"
        assert [entry.tags for entry in (first.wanted or {}).values()] == [("new",)]
        assert all(first.wishes), "at no moment nothing was wanted"
        await desk.registrar.reread(desk.loaded(ttl="20s"))
        assert first.closed is True, "entries of another TTL are adopted"
        await desk.until("one")
        second = desk.holders[-1]
        await desk.registrar.reread(desk.loaded(prefix="/b", ttl="20s"))
        assert desk.holders[-1].prefix == "/b"
        await desk.until("one")
        await eventually(lambda: second.closed is False, what="the old place is withdrawn from")


async def test_a_registry_that_was_never_reached_is_away_also_with_nothing_to_register(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(FakeEngine()) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await desk.until()
        (holder,) = desk.holders
        holder.away = None
        assert [each.state for each in desk.registrar.status().registries] == ["connecting"]
        assert not desk.registrar.ready
        holder.away = "cannot reach etcd"
        await eventually(lambda: [each.what for each in desk.registrar.problems()] == ["cannot reach etcd"])
        assert [each.state for each in desk.registrar.status().registries] == ["away"]
        assert "registry etcd is away" in [event.what for event in desk.journal.after()]
        assert not desk.registrar.ready
        holder.away = ""
        await eventually(lambda: desk.registrar.ready and not desk.registrar.problems())


async def test_a_registrar_that_is_refused_everything_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    public("one", engine)
    public("two", engine, 2)
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch)) as desk:
        await desk.until("one", "two")
        (holder,) = desk.holders
        await eventually(lambda: desk.registrar.ready)
        holder.refuses = {"one"}
        await eventually(lambda: len(desk.registrar.problems()) == 1)
        assert desk.registrar.ready, "one entry that is not taken says nothing of the others"
        holder.refuses = {"one", "two"}
        await eventually(lambda: "are not taken: no right (grant it)" in desk.registrar.problems()[0].what)
        assert len(desk.registrar.problems()) == 1, "what is the same for all is said once"
        (registry,) = desk.registrar.status().registries
        assert (registry.state, desk.registrar.ready) == ("refused", False)
        shown = registrar_lines(desk.registrar.status(), time.time())
        assert not [line for line in shown if "grant it" in line], "it is said among the problems"
        assert any("refused" in line and "takes nothing" in line for line in shown)


@pytest.mark.parametrize(
    "source",
    [
        EtcdSource(endpoints=("http://127.0.0.1:1",)),
        ZookeeperSource(hosts=("127.0.0.1:1",)),
        ConsulSource(address="http://127.0.0.1:1"),
    ],
    ids=lambda source: source.type,
)
async def test_a_hand_knows_that_its_registry_is_away_before_it_holds_anything(
    source: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "longshore.yaml"
    path.write_text(json.dumps({"sources": {source.type: source.model_dump(mode="json", exclude_defaults=True)}}))
    holder = holder_of(load(path, {}), source.type, "box.1", 10.0)
    assert holder.trouble() is None
    holder.want({})
    task = asyncio.create_task(holder.run())
    try:
        await eventually(lambda: "127.0.0.1:1" in (holder.trouble() or ""))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await holder.close(keep=True)


async def test_a_holder_that_fails_is_said_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with serving(engine) as host:
        desk = Desk(tmp_path, host, monkeypatch)
        monkeypatch.setattr(FakeHolder, "run", _fail)
        async with at_work(desk):
            await eventually(lambda: any("failed by a defect" in each.what for each in desk.registrar.problems()))
            public("one", engine)
            await desk.until("one")


async def _fail(_: FakeHolder) -> None:
    raise RuntimeError("a defect")


async def test_this_host_s_address_may_be_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said once, and what has an address of its own is registered all the same."""
    monkeypatch.setattr("longshore.agent.register_address._towards", lambda _: "")
    engine = FakeEngine()
    public("one", engine)
    public("two", engine, 2, **{"longshore.register-address": "10.0.0.7:99"})
    async with serving(engine) as host, at_work(Desk(tmp_path, host, monkeypatch, address=None)) as desk:
        assert desk.registrar.problems() == (), "it has not been looked for yet"
        await desk.until("two")
        (problem,) = desk.registrar.problems()
        assert "where other hosts reach this one: there is no route" in problem.what
        monkeypatch.setattr("longshore.agent.register_address._towards", lambda _: "10.0.0.5")
        await desk.registrar.reread(desk.loaded())
        await desk.until("one", "two")
        assert desk.registrar.problems() == ()


async def test_an_end_that_is_put_off_is_brought_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the delay, but before the engine loses its patience; at the registrar's end at once."""
    monkeypatch.setattr(register_delays, "MARGIN", 0.0)
    engine = FakeEngine()
    one = public("one", engine, 1, **{"longshore.deregister-delay": "1h"})
    two = public("two", engine, 2, **{"longshore.deregister-delay": "1h"})
    for identity, patience in ((one, 0), (two, 3600)):
        engine.containers[identity]["Config"] |= {"StopSignal": "SIGURG", "StopTimeout": patience}
    async with serving(engine) as host:
        async with at_work(Desk(tmp_path, host, monkeypatch)) as desk:
            await desk.until("one", "two")
            engine.emit("kill", one, signal="23")
            engine.emit("kill", two, signal="23")
            await desk.until()
            await eventually(lambda: engine.signals == [(one, "SIGTERM")])
        assert engine.signals == [(one, "SIGTERM"), (two, "SIGTERM")]
