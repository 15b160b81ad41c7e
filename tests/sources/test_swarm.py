"""The source `swarm` against a manager in this process: when it looks, and what becomes of trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from longshore.core.drafts import Options
from longshore.core.model import EndpointState
from longshore.sources import swarm as source
from longshore.sources.swarm_pace import LONGEST, LONGEST_IDLE, SHORTEST, SHORTEST_IDLE, Pace
from tests.clients.fake_engine import serving
from tests.core.swarm_made import network, node, service, task
from tests.lab.waiting import eventually
from tests.sources.docker_watching import QUICK, Watching
from tests.sources.fake_manager import FakeManager

WEB = {"host": "a.test", "port": "8000"}
READY, STOPPING = EndpointState.READY, EndpointState.STOPPING


@dataclass(frozen=True)
class Settings:
    host: str
    networks: tuple[str, ...] = ("front",)
    tls: None = None


@contextlib.asynccontextmanager
async def watching(host: str, networks: tuple[str, ...] = ("front",)) -> AsyncIterator[Watching]:
    seen = Watching()
    options = Options("swarm")
    seen.task = asyncio.create_task(source.watch(Settings(host, networks), options, seen.publish, patience=QUICK))
    seen.task.add_done_callback(lambda _: seen.wake())
    try:
        yield seen
    finally:
        seen.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await seen.task


@pytest.fixture
def manager() -> FakeManager:
    made = FakeManager(nodes=[node("h1"), node("h2")], services=[service("web", WEB, copies=1)])
    made.put(task("web", 1))
    return made


async def test_what_runs_is_told_and_only_by_getting(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        assert len(seen.snapshots) == 1
    assert manager.methods == {"GET"}


async def test_an_event_makes_it_look_and_tasks_are_followed_without_any(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        manager.services = [service("web", WEB, copies=2)]
        manager.happened("service", "update", "id-web")
        manager.put(task("web", 2, "h2", state="starting"))
        await seen.until_state("web.2", EndpointState.WAITING)
        manager.put(task("web", 2, "h2"))
        await seen.until_state("web.2", READY)
        manager.services = [service("web", WEB, copies=1)]
        manager.happened("service", "update", "id-web")
        manager.put(task("web", 2, "h2", desired="shutdown"))
        await seen.until_state("web.2", STOPPING)
        manager.put(task("web", 2, "h2", desired="shutdown", state="shutdown"))
        await seen.until_state("web.2", None)


async def test_a_service_of_which_no_event_told_is_found_by_its_tasks(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        manager.services.append(service("api", WEB | {"host": "b.test"}, copies=1))
        manager.put(task("api", 1, number=9))
        await seen.until_state("api.1", READY)


async def test_a_node_that_changes_makes_it_look(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        manager.nodes = [node("h1", labels={"longshore.zone": "east"})]
        manager.happened("node", "update", "id-h1")
        await seen.until(lambda: (end := seen.endpoint("web.1")) and end.zone == "east")


async def test_it_finds_itself_among_the_tasks(manager: FakeManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked over TCP, a manager does not know the container on another node; the list of tasks does."""
    monkeypatch.setattr(source, "ids_of_this_process", lambda: ("f" * 64,))
    manager.services.append(service("balancer"))
    manager.put(task("balancer", 1, "h2", container="", state="starting"))
    async with serving(manager) as host, watching(host, ()) as seen:
        await seen.until(lambda: seen.last.problems)
        manager.put(task("balancer", 1, "h2", container="f" * 64, networks=[network("front", "10.77.0.99")]))
        await seen.until_state("web.1", READY)
        assert not seen.last.problems


async def test_a_network_that_is_not_shared_is_said(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host, ()) as seen:
        await seen.until(lambda: seen.last.problems)
        assert "no address can be reached" in seen.last.problems[0].what


@pytest.mark.parametrize(
    ("info", "what", "hint"),
    [
        (
            {
                "LocalNodeState": "active",
                "ControlAvailable": False,
                "RemoteManagers": [{"Addr": "10.0.0.1:2377"}, {"Addr": "10.0.0.2:2377"}],
            },
            "is not a manager of its Swarm; managers are at 10.0.0.1, 10.0.0.2",
            "docker node promote",
        ),
        ({"LocalNodeState": "inactive"}, "is in no Swarm (its state is inactive)", "docker swarm init"),
        ({"LocalNodeState": "error", "Error": "certificate expired"}, "certificate expired", "docker swarm init"),
        ({"LocalNodeState": "locked"}, "is locked", "docker swarm unlock"),
        ({}, "is in no Swarm", "use the source docker"),
    ],
)
async def test_an_engine_that_manages_no_swarm_is_said_with_the_cure(
    manager: FakeManager, info: dict[str, Any], what: str, hint: str
) -> None:
    good, manager.info = manager.info, info
    async with serving(manager) as host, watching(host) as seen:
        await seen.until(lambda: seen.last.stale)
        (problem,) = seen.last.problems
        assert what in problem.what
        assert hint in problem.hint
        manager.info = good
        await seen.until_state("web.1", READY)
        assert not seen.last.stale


@pytest.mark.parametrize(
    ("refusal", "what"),
    [
        ((503, "This node is not a swarm manager. Worker nodes can't …"), "is not a manager of its Swarm"),
        ((500, "rpc error: code = Unknown desc = The swarm does not have a leader. …"), "has no leader"),
        ((500, "out of luck"), "answers GET /v1.51/tasks"),
    ],
)
async def test_a_manager_that_fails_makes_it_stale_and_nothing_goes(
    manager: FakeManager, refusal: tuple[int, str], what: str
) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        before = seen.service("web.1")
        manager.refuse["/tasks"] = refusal
        manager.happened("service", "update", "id-web")
        await seen.until(lambda: what in seen.last.stale)
        assert seen.service("web.1") is before
        del manager.refuse["/tasks"]
        await seen.until_current()
        assert seen.service("web.1") is before


async def test_a_stream_of_events_that_ends_is_opened_again(manager: FakeManager) -> None:
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        manager.break_streams()
        await seen.until(lambda: seen.last.stale)
        await seen.until_current()


async def test_a_proxy_that_keeps_containers_and_info_to_itself_is_enough(manager: FakeManager) -> None:
    manager.refuse |= {"/info": (403, "no"), "/networks": (403, "no")}
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)


async def test_what_is_listed_now_and_then_is_no_reason_to_look_more_often(
    manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []

    class Told(Pace):
        def after(self, now: float, took: float, *, news: bool, updating: bool, settled: bool) -> float:
            waits.append(news)
            return 0.01

    monkeypatch.setattr(source, "EVERYTHING", 0.0)
    monkeypatch.setattr(source, "Pace", Told)
    async with serving(manager) as host, watching(host) as seen:
        await seen.until_state("web.1", READY)
        await eventually(lambda: len(waits) > 5)
    assert waits[0]
    assert not any(waits[1:])


def test_it_looks_often_while_something_changes_and_rarely_when_nothing_does() -> None:
    pace = Pace()
    assert pace.after(100.0, 0.004, news=True, updating=False, settled=True) == SHORTEST
    assert pace.after(104.0, 0.004, news=False, updating=False, settled=True) == SHORTEST
    assert pace.after(106.0, 0.004, news=False, updating=False, settled=True) == SHORTEST_IDLE
    assert pace.after(106.0, 0.004, news=False, updating=True, settled=True) == SHORTEST
    assert pace.after(106.0, 0.004, news=False, updating=False, settled=False) == SHORTEST
    assert pace.after(140.0, 0.004, news=False, updating=False, settled=False) == SHORTEST_IDLE


@pytest.mark.parametrize(
    ("took", "busy", "idle"), [(0.04, 0.8, 8.0), (0.06, LONGEST, 12.0), (5.0, LONGEST, LONGEST_IDLE)]
)
def test_the_larger_the_swarm_the_rarer_the_looks(took: float, busy: float, idle: float) -> None:
    pace = Pace()
    assert pace.after(100.0, took, news=True, updating=False, settled=True) == pytest.approx(busy)
    assert pace.after(200.0, took, news=False, updating=False, settled=True) == pytest.approx(idle)
