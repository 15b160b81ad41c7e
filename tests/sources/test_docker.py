"""The `docker` source against an engine in this process: what each event does to the snapshot, and how fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.fake_engine import FakeEngine, serving
from tests.lab.waiting import eventually
from tests.sources.docker_watching import READY, STOPPING, WAITING, Watching, watching


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


async def test_the_first_snapshot_has_every_container(engine: FakeEngine, tmp_path: Path) -> None:
    """A part of them would look as if the others were gone."""
    for number in range(40):
        engine.add(f"web-{number}", f"172.18.0.{number + 2}")
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until(lambda: True)
        assert sum(len(service.endpoints) for service in seen.snapshots[0].services) == 40
        assert seen.snapshots[0].stale == ""


async def test_it_subscribes_then_lists_and_only_ever_reads(engine: FakeEngine, seen: Watching) -> None:
    asked = [path.rpartition("/")[2] for path in engine.asked]
    assert asked.index("events") < engine.asked.index("/v1.51/containers/json")
    assert engine.methods == {"GET"}


async def test_a_container_started_while_the_list_is_made_is_not_missed(engine: FakeEngine, tmp_path: Path) -> None:
    gate = engine.after_listing = asyncio.Event()
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await engine.listed.wait()
        engine.start("late")
        gate.set()
        await seen.until_state("late", READY)


async def test_a_started_container_is_in_after_one_question(engine: FakeEngine, seen: Watching) -> None:
    before = len(engine.asked)
    identity = engine.start("new", "172.18.0.3")
    await seen.until_state("new", READY)
    assert engine.asked[before:] == [f"/v1.51/containers/{identity}/json"]
    endpoint = seen.endpoint("new")
    assert endpoint is not None
    assert (endpoint.address, endpoint.port) == ("172.18.0.3", 8000)
    assert abs(endpoint.since - time.time()) < 60


async def test_what_did_not_change_is_the_same_object(engine: FakeEngine, seen: Watching) -> None:
    before = seen.service("web")
    engine.start("new", "172.18.0.3")
    await seen.until_state("new", READY)
    assert seen.service("web") is before


@pytest.mark.parametrize(
    ("stop_signal", "sent"), [("SIGTERM", "15"), ("QUIT", "3"), ("3", "3"), ("RTMIN+3", "37"), ("SIGQUIT", "9")]
)
async def test_its_stop_signal_or_kill_takes_a_container_out_at_once(
    engine: FakeEngine, seen: Watching, stop_signal: str, sent: str
) -> None:
    """At once: without asking the engine, which may be slow about a container that stops."""
    identity = engine.start("new", "172.18.0.3", stop_signal=stop_signal)
    await seen.until_state("new", READY)
    engine.hold[f"/{identity}/json"] = asyncio.Event()
    at = engine.emit("kill", identity, signal=sent)
    await seen.until_state("new", STOPPING)
    endpoint = seen.endpoint("new")
    assert endpoint is not None
    assert endpoint.since == pytest.approx(at, abs=1e-3)
    assert engine.inspected(identity) == 1


@pytest.mark.parametrize(("stop_signal", "sent"), [("SIGTERM", "1"), ("SIGTERM", "10"), ("SIGQUIT", "15")])
async def test_another_signal_changes_nothing(engine: FakeEngine, seen: Watching, stop_signal: str, sent: str) -> None:
    identity = engine.start("new", "172.18.0.3", stop_signal=stop_signal)
    await seen.until_state("new", READY)
    before = len(seen.snapshots)
    engine.emit("kill", identity, signal=sent)
    engine.start("after", "172.18.0.4")
    await seen.until_state("after", READY)
    assert len(seen.snapshots) == before + 1
    assert seen.state("new") is READY


async def test_a_container_that_survives_its_stop_signal_stays_out_until_it_is_started_again(
    engine: FakeEngine, seen: Watching
) -> None:
    identity = next(iter(engine.containers))
    engine.emit("kill", identity, signal="15")
    await seen.until_state("web", STOPPING)
    engine.emit("update", identity)
    engine.start("after", "172.18.0.4")
    await seen.until_state("after", READY)
    assert seen.state("web") is STOPPING
    engine.state(identity, StartedAt=now())
    engine.emit("start", identity)
    await seen.until_state("web", READY)


async def test_a_container_that_dies_is_out_before_the_engine_can_tell_more(engine: FakeEngine, seen: Watching) -> None:
    """The engine locks a dying container for some 0.2 s."""
    identity = next(iter(engine.containers))
    gate = engine.hold[f"/{identity}/json"] = asyncio.Event()
    engine.die(identity)
    await seen.until_state("web", STOPPING)
    gate.set()
    await seen.until_state("web", None)


async def test_a_slow_answer_about_one_container_delays_no_other(engine: FakeEngine, seen: Watching) -> None:
    slow = engine.add("slow", "172.18.0.3")
    gate = engine.hold[f"/{slow}/json"] = asyncio.Event()
    engine.emit("start", slow)
    engine.start("quick", "172.18.0.4")
    await seen.until_state("quick", READY)
    assert seen.state("slow") is None
    gate.set()
    await seen.until_state("slow", READY)


async def test_a_change_while_the_answer_is_under_way_is_asked_for_again(engine: FakeEngine, seen: Watching) -> None:
    identity = engine.add("new", "172.18.0.3")
    gate = engine.hold[f"/{identity}/json"] = asyncio.Event()
    engine.emit("start", identity)
    engine.emit("connect", identity, kind="network")
    await eventually(lambda: engine.inspected(identity) == 1)
    gate.set()
    await eventually(lambda: engine.inspected(identity) == 2)
    await seen.until_state("new", READY)


async def test_a_restarted_container_comes_back(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    engine.emit("kill", identity, signal="15")
    engine.die(identity)
    await seen.until_state("web", None)
    engine.state(identity, Status="running", Running=True, StartedAt=now())
    at = engine.emit("start", identity)
    await seen.until_state("web", READY)
    endpoint = seen.endpoint("web")
    assert endpoint is not None
    assert endpoint.since == pytest.approx(at, abs=1e-3)


async def test_a_container_between_two_starts_of_its_restart_policy_waits(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    engine.state(identity, Status="restarting")
    engine.emit("die", identity, exitCode="1")
    await seen.until(lambda: seen.state("web") is not READY)
    engine.state(identity, Status="running", StartedAt=now())
    engine.emit("start", identity)
    await seen.until_state("web", READY)


async def test_a_destroyed_container_is_gone_without_a_question(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    before = engine.inspected(identity)
    engine.destroy(identity)
    await seen.until_state("web", None)
    assert engine.inspected(identity) == before


async def test_a_paused_container_waits(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    engine.state(identity, Status="paused")
    at = engine.emit("pause", identity)
    await seen.until_state("web", WAITING)
    endpoint = seen.endpoint("web")
    assert endpoint is not None
    assert endpoint.since == pytest.approx(at, abs=1e-3)
    engine.state(identity, Status="running")
    engine.emit("unpause", identity)
    await seen.until_state("web", READY)


async def test_a_healthcheck_decides(engine: FakeEngine, seen: Watching) -> None:
    identity = engine.add("new", "172.18.0.3")
    for health, state in (("starting", WAITING), ("healthy", READY), ("unhealthy", WAITING), ("healthy", READY)):
        engine.state(identity, Health={"Status": health})
        engine.emit("start" if health == "starting" else f"health_status: {health}", identity)
        await seen.until_state("new", state)


async def test_a_renamed_container_keeps_its_place(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    before = seen.endpoint("web")
    engine.containers[identity]["Name"] = "/other"
    engine.emit("rename", identity)
    await seen.until_state("other", READY)
    after = seen.endpoint("other")
    assert before is not None
    assert after is not None
    assert (after.id, after.address, after.since) == (before.id, before.address, before.since)


async def test_networks_connected_and_disconnected_change_the_address(engine: FakeEngine, seen: Watching) -> None:
    identity = next(iter(engine.containers))
    networks = engine.containers[identity]["NetworkSettings"]["Networks"]
    kept = networks.pop("bridge")
    engine.emit("disconnect", identity, kind="network")
    await seen.until_state("web", None)
    networks["bridge"] = kept | {"IPAddress": "172.18.0.9"}
    at = engine.emit("connect", identity, kind="network")
    await seen.until_state("web", READY)
    endpoint = seen.endpoint("web")
    assert endpoint is not None
    assert endpoint.address == "172.18.0.9"
    assert endpoint.since == pytest.approx(at, abs=1e-3)


async def test_the_network_event_that_precedes_a_start_costs_no_question(engine: FakeEngine, seen: Watching) -> None:
    identity = engine.add("new", "172.18.0.3")
    engine.emit("connect", identity, kind="network")
    engine.start("after", "172.18.0.4")
    await seen.until_state("after", READY)
    assert engine.inspected(identity) == 0


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1)) + ".5Z"
