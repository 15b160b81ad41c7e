"""A registrar that reads its configuration again, and one that ends meanwhile; its heartbeat; its registries."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import register_hands, register_heart
from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.registrar import Registrar
from longshore.agent.report import Status
from longshore.config import load
from longshore.config.load import Loaded
from tests.agent.test_registrar import FakeHolder
from tests.lab.waiting import eventually

DB = {"port": 5432, "check": "none"}


class Office:
    """A registrar of plain processes with several registries; their holders by name, the last one of each first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, sources: Any, **register: Any) -> None:
        self.folder, self.sources = folder, sources
        self.holders = dict[str, list[FakeHolder]]()
        monkeypatch.setattr(register_hands, "holder_of", self._holder)
        self.registrar = Registrar(self.loaded(**register), "box.1", Journal(), Metrics(lambda: Status("1")))

    def loaded(self, sources: Any = None, **register: Any) -> Loaded:
        section = {"address": "10.0.0.5", "name": "box", "containers": False, **register}
        path = self.folder / "longshore.yaml"
        path.write_text(json.dumps({"sources": sources or self.sources, "register": section}))
        found = load(path, {})
        assert not found.problems, found.problems
        return found

    def wanted(self, registry: str) -> set[str]:
        """What is wanted in a registry now."""
        return set(self.holders[registry][0].wanted or ()) if registry in self.holders else set()

    def _holder(self, loaded: Loaded, name: str, owner: str, ttl: float, *, state_dir: Path) -> FakeHolder:
        holder = FakeHolder(getattr(loaded.config.sources[name], "prefix", ""))
        self.holders.setdefault(name, []).insert(0, holder)
        return holder


@contextlib.asynccontextmanager
async def at_work(office: Office) -> AsyncIterator[Office]:
    task = asyncio.create_task(office.registrar.run())
    try:
        yield office
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await office.registrar.close(keep=True)


ETCD = {"etcd": {"prefix": "/a"}}
BOTH = {"a": {"type": "etcd", "prefix": "/a"}, "b": {"type": "etcd", "prefix": "/b"}}


async def test_a_configuration_that_is_being_taken_in_when_it_ends_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP, and SIGTERM at once: no holder may be begun after the others have withdrawn what they had."""
    async with at_work(Office(tmp_path, monkeypatch, ETCD, services={"db": DB})) as office:
        await eventually(lambda: office.wanted("etcd") == {"db/box:5432"})
        first = office.holders["etcd"][0]
        going = asyncio.Event()
        close = first.close

        async def slowly(*, keep: bool) -> None:
            going.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await close(keep=keep)

        monkeypatch.setattr(first, "close", slowly)
        rereading = asyncio.create_task(office.registrar.reread(office.loaded(ttl="20s", services={"db": DB})))
        await going.wait()
        await office.registrar.close(keep=False)
        await rereading
        assert [each.closed for each in office.holders["etcd"]] == [False, True], (
            "the new holder withdrew, the old kept"
        )
        assert not office.wanted("etcd")


async def test_nothing_is_taken_in_any_more_once_it_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(Office(tmp_path, monkeypatch, ETCD, services={"db": DB})) as office:
        await eventually(lambda: office.wanted("etcd") == {"db/box:5432"})
        await office.registrar.close(keep=False)
        await office.registrar.reread(office.loaded(ttl="20s", services={"db": DB}))
        assert len(office.holders["etcd"]) == 1
        assert not office.wanted("etcd")


async def test_each_process_is_wanted_in_its_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = {
        "every": DB,
        "one": DB | {"registry": "b"},
        "none": DB | {"registry": []},
    }
    office = Office(tmp_path, monkeypatch, BOTH, registry=["a", "b"], services=services)
    async with at_work(office):
        await eventually(lambda: office.wanted("b") == {"every/box:5432", "one/box:5432"})
        assert office.wanted("a") == {"every/box:5432"}
        await eventually(lambda: office.registrar.ready)
        await office.registrar.reread(office.loaded(registry=["a", "b"], services={"one": DB | {"registry": "a"}}))
        assert (office.wanted("a"), office.wanted("b")) == ({"one/box:5432"}, set())


async def test_a_registry_that_is_renamed_is_left_once_the_new_one_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(Office(tmp_path, monkeypatch, ETCD, services={"db": DB})) as office:
        await eventually(lambda: office.wanted("etcd") == {"db/box:5432"})
        old = office.holders["etcd"][0]
        monkeypatch.setattr(FakeHolder, "leases", lambda _: ())  # the new one does not hold anything yet
        other = {"other": {"type": "etcd", "prefix": "/a"}}
        await office.registrar.reread(office.loaded(other, services={"db": DB}))
        assert office.wanted("other") == {"db/box:5432"}
        assert old.closed is None
        monkeypatch.undo()
        await eventually(lambda: old.closed is False)


@pytest.mark.parametrize("key", [pytest.param("heartbeat-file", id="A3 heartbeat_path")])
async def test_the_heart_beats_while_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Again and again; in another file once the configuration says so."""
    monkeypatch.setattr(register_heart, "BEAT", 0.02)
    one, two = tmp_path / "one", tmp_path / "two"
    async with at_work(Office(tmp_path, monkeypatch, ETCD, **{"services": {"db": DB}, key: str(one)})) as office:
        await eventually(one.exists)
        first = one.stat().st_mtime_ns
        await eventually(lambda: one.stat().st_mtime_ns > first)
        await office.registrar.reread(office.loaded(**{"services": {"db": DB}, key: str(two)}))
        await eventually(two.exists)
        await office.registrar.reread(office.loaded(**{"services": {"db": DB}, key: str(tmp_path / "no" / "where")}))
        await eventually(lambda: any("heartbeat-file" in problem.what for problem in office.registrar.problems()))


async def test_the_heart_stands_still_while_not_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_heart, "BEAT", 0.01)
    file, asked = tmp_path / "beat", list[bool]()
    well = False

    def is_well() -> bool:
        asked.append(well)
        return well

    beating = asyncio.create_task(register_heart.Heart(lambda: file, is_well).run())
    await eventually(lambda: len(asked) > 3)
    assert not file.exists()
    well = True
    await eventually(file.exists)
    well = False
    count = len(asked)
    await eventually(lambda: asked[count:].count(False) > 1)  # no beat is under way any more
    file.unlink()
    await eventually(lambda: asked[count:].count(False) > 4)
    assert not file.exists()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def test_a_registry_that_is_away_stops_the_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(Office(tmp_path, monkeypatch, ETCD, services={"db": DB})) as office:
        await eventually(office.registrar._is_well)
        office.holders["etcd"][0].away = "nobody answers"
        await eventually(lambda: not office.registrar._is_well())
        office.holders["etcd"][0].away = ""
        await eventually(office.registrar._is_well)
