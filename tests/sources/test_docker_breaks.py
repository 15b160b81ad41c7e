"""The `docker` source when something breaks: stale is never empty, and what was missed is caught."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.core.model import Snapshot
from longshore.sources import docker_ask
from longshore.sources.docker import Patience, back_off, watch
from tests.clients.fake_engine import FakeEngine, serving
from tests.lab.waiting import eventually
from tests.sources.docker_watching import OPTIONS, QUICK, READY, STOPPING, Settings, Watching, watching


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def seen(engine: FakeEngine, tmp_path: Path) -> AsyncIterator[Watching]:
    """A source that has published the engine's only container, `web`."""
    engine.add("web", "172.18.0.2")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_state("web", READY)
        yield seen


async def test_without_an_engine_nothing_is_known_and_that_is_said(engine: FakeEngine, tmp_path: Path) -> None:
    """Unknown is never empty: the agent goes on with what it knew."""
    engine.add("web")
    async with watching(f"unix://{tmp_path}/s") as seen:
        await seen.until(lambda: True)
        assert seen.last.services == ()
        assert seen.last.stale.startswith(f"no Docker Engine at unix://{tmp_path}/s: the socket does not exist, since ")
        (problem,) = seen.last.problems
        assert problem.where == "source docker"
        assert "start the engine" in problem.hint
        async with serving(engine, tmp_path / "s"):
            await seen.until_state("web", READY)
            assert (seen.last.stale, seen.last.problems) == ("", ())


async def test_the_same_trouble_is_said_once(engine: FakeEngine, tmp_path: Path) -> None:
    engine.refuse["/version"] = (500, "starting")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await eventually(lambda: engine.asked.count("/version") > 5)
        assert len(seen.snapshots) == 1


async def test_a_break_leaves_everything_and_marks_it_stale(engine: FakeEngine, seen: Watching) -> None:
    kept = seen.service("web")
    engine.refuse["/version"] = (500, "starting")
    engine.restart()
    await seen.until(lambda: seen.last.stale)
    assert "ended its event stream" in seen.last.stale
    assert seen.service("web") is kept
    engine.refuse.clear()
    await seen.until_current()
    assert seen.service("web") is kept


async def test_what_was_missed_is_caught(engine: FakeEngine, seen: Watching) -> None:
    engine.refuse["/version"] = (500, "starting")
    engine.restart()
    await seen.until(lambda: seen.last.stale)
    gone = next(iter(engine.containers))
    del engine.containers[gone]
    stopped = engine.add("stopped", "172.18.0.3")
    engine.add("new", "172.18.0.4")
    engine.state(stopped, Status="exited", Running=False)
    engine.refuse.clear()
    await seen.until_current()
    assert [seen.state(name) for name in ("web", "stopped", "new")] == [None, None, READY]


async def test_a_stop_signal_during_a_break_is_caught(engine: FakeEngine, seen: Watching) -> None:
    """A listing would show the container running until it ends; the engine's replay tells that it was told to stop."""
    engine.refuse["/version"] = (500, "busy")
    engine.break_streams()
    await seen.until(lambda: seen.last.stale)
    engine.emit("kill", next(iter(engine.containers)), signal="15")
    engine.refuse.clear()
    await seen.until_state("web", STOPPING)


async def test_a_stop_signal_just_before_the_first_connection_is_caught(engine: FakeEngine, tmp_path: Path) -> None:
    engine.emit("kill", engine.add("web"), signal="15")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_current()
        assert seen.state("web") is STOPPING


async def test_a_signal_from_before_the_last_start_is_history(engine: FakeEngine, tmp_path: Path) -> None:
    identity = engine.add("web", started="2199-01-01T00:00:00Z")
    engine.emit("kill", identity, signal="15")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_current()
        assert seen.state("web") is READY


async def test_a_container_that_vanishes_after_the_listing_is_none(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("web")
    gone = engine.add("gone", "172.18.0.3")
    gate = engine.hold[f"/{gone}/json"] = asyncio.Event()
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await engine.watched.wait()
        del engine.containers[gone]
        gate.set()
        await seen.until_current()
        assert [seen.state("web"), seen.state("gone")] == [READY, None]
        assert seen.last.problems == ()


async def test_a_container_the_engine_cannot_tell_about_harms_no_other(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_ask, "PAUSE", 0.01)
    engine.add("web")
    broken = engine.add("broken", "172.18.0.3")
    engine.refuse[f"/{broken}/json"] = (500, "layer does not exist")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_current()
        assert seen.state("web") is READY
        (problem,) = seen.last.problems
        assert problem.where == f"container {broken[:12]}"
        assert "layer does not exist" in problem.what
        engine.refuse.clear()
        await seen.until_state("broken", READY)
        assert seen.last.problems == ()


async def test_a_container_described_strangely_is_a_problem_of_its_own(engine: FakeEngine, seen: Watching) -> None:
    strange = engine.add("strange", "172.18.0.3")
    engine.containers[strange] = {"Id": strange, "State": 7}
    engine.emit("start", strange)
    await seen.until(lambda: seen.last.problems)
    assert seen.last.problems[0].where == f"container {strange[:12]}"
    assert "cannot be read" in seen.last.problems[0].what
    assert seen.state("web") is READY


async def test_a_proxy_that_hides_the_containers_is_said_once(engine: FakeEngine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        engine.refuse[f"/{engine.add(name)}/json"] = (403, "denied")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until(lambda: True)
        (problem,) = seen.last.problems
        assert "socket proxy" in problem.hint
        assert seen.last.services == ()


async def test_an_engine_that_hangs_is_noticed(engine: FakeEngine, tmp_path: Path) -> None:
    """Its event stream stays open and silent."""
    engine.add("web")
    patience = Patience(answer=2.0, ping=0.05, first=0.01, longest=0.05)
    async with serving(engine, tmp_path / "s") as host, watching(host, patience) as seen:
        await seen.until_state("web", READY)
        gate = engine.hold[""] = asyncio.Event()
        await seen.until(lambda: seen.last.stale)
        assert "does not answer in time" in seen.last.stale
        assert seen.state("web") is READY
        engine.hold.clear()
        gate.set()
        await seen.until_current()


async def test_an_engine_that_became_too_old_is_said(engine: FakeEngine, seen: Watching) -> None:
    engine.api = "1.40"
    engine.restart()
    await seen.until(lambda: "too old" in seen.last.stale)
    assert seen.state("web") is READY


async def test_a_cancelled_source_leaves_nothing_behind(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("web")
    async with serving(engine, tmp_path / "s") as host:
        async with watching(host, QUICK) as seen:
            await seen.until_current()
            engine.hold["/json"] = asyncio.Event()
            engine.start("new")
        left = [task for task in asyncio.all_tasks() if "longshore" in repr(task)]
        assert left == []


def test_the_wait_before_a_new_try_doubles_up_to_a_limit_and_is_never_in_step() -> None:
    patience = Patience(first=0.1, longest=5.0)
    for tries, most in ((0, 0.1), (1, 0.2), (5, 3.2), (6, 5.0), (10_000, 5.0)):
        waits = [back_off(patience, tries) for _ in range(200)]
        assert most / 2 <= min(waits)
        assert max(waits) <= most
        assert len(set(waits)) > 100


async def test_an_error_of_our_own_is_not_taken_for_the_engines(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("web")

    def publish(_: Snapshot) -> None:
        raise ZeroDivisionError

    async with serving(engine, tmp_path / "s") as host:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(watch("docker", Settings(host), OPTIONS, publish), 30)
