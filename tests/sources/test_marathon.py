"""The source `marathon`: which tasks get traffic, what is said of the others, and when Marathon is asked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.clients.marathon import Patience, Task
from longshore.config.marathon import MarathonSource
from longshore.core.entries import Broken, Entry
from longshore.core.layouts import LAYOUTS
from longshore.core.model import EndpointState, Snapshot
from longshore.core.registered import Options, Pick
from longshore.core.spec import Spec
from longshore.sources.marathon import Asked, MarathonAdapter, condition_of, entries, tag
from tests.lab.marathon import Marathon, health
from tests.lab.waiting import eventually
from tests.sources.registry_watching import Watching, watching

SOON = Patience(connect=1.0, answer=1.0, silence=2.0)
WEB = Pick("web", Spec(), "/prod/web", tag=tag(0))
ADMIN = Pick("admin", Spec(), "/prod/web", tag=tag(1))
DB = Pick("db", Spec(), "/prod/db", tag=tag(0))


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon() as api:
        yield api


@contextlib.asynccontextmanager
async def seen(marathon: Marathon, *picks: Pick, interval: float = 3600.0, **more: Any) -> AsyncIterator[Watching]:
    source = MarathonSource.model_validate({"url": marathon.url, **more}).model_copy(update={"interval": interval})
    asked = [Asked(pick.service or "", int((pick.tag or "").split()[1]), pick.name) for pick in picks]
    options = Options("apps", LAYOUTS["native"], "/", "named", picks=picks)
    async with watching(MarathonAdapter(source, asked, SOON, deaf=0.02), options) as found:
        yield found


def places(snapshot: Snapshot) -> dict[str, list[str]]:
    """Where the endpoints of each service are."""
    return {
        service.name: [f"{each.address}:{each.port}" for each in service.endpoints] for service in snapshot.services
    }


async def test_each_service_has_its_port_of_its_app(marathon: Marathon) -> None:
    marathon.run("/prod/web", "10.0.0.5", 31001, 31002)
    marathon.run("/prod/web", "10.0.0.6", 31003, 31004)
    marathon.run("/prod/db", "10.0.0.7", 31005)
    async with seen(marathon, WEB, ADMIN, DB) as watched:
        await watched.until(lambda: len(watched.endpoints) == 5)
    assert places(watched.last) == {
        "admin": ["10.0.0.5:31002", "10.0.0.6:31004"],
        "db": ["10.0.0.7:31005"],
        "web": ["10.0.0.5:31001", "10.0.0.6:31003"],
    }
    assert not watched.last.problems
    assert marathon.asked("/prod/web") == 1


async def test_an_event_causes_a_look_at_once(marathon: Marathon) -> None:
    """The interval is an hour here."""
    marathon.run("/prod/web", "10.0.0.5", 31001)
    async with seen(marathon, WEB) as watched:
        await eventually(lambda: marathon.listeners, what="events are heard")
        await watched.until(lambda: len(watched.endpoints) == 1)
        marathon.run("/prod/web", "10.0.0.6", 31002)
        await watched.until(lambda: len(watched.endpoints) == 2)
        marathon.kill("/prod/web", 31001)
        await watched.until(lambda: places(watched.last) == {"web": ["10.0.0.6:31002"]})


async def test_events_about_other_apps_are_none(marathon: Marathon) -> None:
    marathon.run("/prod/web", "10.0.0.5", 31001)
    async with seen(marathon, WEB) as watched:
        await eventually(lambda: marathon.listeners and marathon.asked("/prod/web") == 2, what="events are heard")
        for _ in range(20):
            marathon.tell("/other")
        marathon.tell("/prod/web")
        await eventually(lambda: marathon.asked("/prod/web") == 3, what="another look")
        assert watched.endpoints


async def test_without_events_it_is_asked_again_and_again() -> None:
    with Marathon(streams=False) as marathon:
        marathon.run("/prod/web", "10.0.0.5", 31001)
        async with seen(marathon, WEB, interval=0.02) as watched:
            await watched.until(lambda: len(watched.endpoints) == 1)
            marathon.run("/prod/web", "10.0.0.6", 31002)
            await watched.until(lambda: len(watched.endpoints) == 2)
        assert not watched.last.stale


async def test_a_task_that_must_wait_says_why(marathon: Marathon) -> None:
    marathon.run("/prod/web", "10.0.0.5", 31001, healthCheckResults=health(True, False))
    marathon.run("/prod/web", "10.0.0.6", 31002, state="TASK_STAGING", startedAt=None)
    marathon.run("/prod/web", "10.0.0.7", 31003, state="TASK_KILLING")
    marathon.run("/prod/web", "10.0.0.8", 31004, healthCheckResults=health(True))
    async with seen(marathon, WEB) as watched:
        await watched.until(lambda: len(watched.endpoints) == 4)
    said = {each.port: (each.state, each.reason) for each in watched.last.services[0].endpoints}
    assert said == {
        31001: (EndpointState.WAITING, "registered in apps, a health check of Marathon's fails"),
        31002: (EndpointState.WAITING, "registered in apps, Marathon says TASK_STAGING"),
        31003: (EndpointState.STOPPING, "registered in apps, Marathon ends it"),
        31004: (EndpointState.READY, "registered in apps"),
    }


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (Task("1", "h", (1,), "TASK_RUNNING"), ""),
        (Task("1", "h", (1,), "", "2014-09-13T00:24:46.965Z"), ""),
        (Task("1", "h", (1,)), "critical"),
        (Task("1", "h", (1,), "TASK_UNREACHABLE", "x"), "critical"),
        (Task("1", "h", (1,), "TASK_RUNNING", "x", (True, True)), ""),
        (Task("1", "h", (1,), "TASK_RUNNING", "x", (True, False)), "critical"),
    ],
)
def test_the_condition_of_a_task(found: Task, status: str) -> None:
    """Old versions say no state: there, a task runs when it has started."""
    assert condition_of(found)[0] == status


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (Task("t", "10.0.0.5", (31001,)), "has no port at index 1: it has 1 port"),
        (Task("t", "10.0.0.5", ()), "has no port at index 1: it has 0 ports"),
        (Task("t", "10.0.0.5", (31001, 0)), "has the port 0, which is none"),
        (Task("t", "no host", (31001, 31002)), 'runs on "no host", which is neither a name nor an address'),
    ],
)
def test_a_task_that_is_passed_over(found: Task, what: str) -> None:
    [(_, value)] = entries(Asked("/prod/web", 1, "admin"), [found])
    assert isinstance(value, Broken)
    assert (value.what, value.service) == (what, "admin")


def test_a_task_as_an_entry() -> None:
    found = Task("web.1", "agent-1", (31001,), "TASK_RUNNING", "2017-04-11T15:06:20.048Z", (), "z1")
    assert list(entries(Asked("/web", 0, "web"), [found])) == [
        (
            "/web web.1:0",
            Entry(
                "/web",
                "web.1:31001",
                "agent-1",
                31001,
                "agent-1:31001",
                tags=("port 0",),
                zone="z1",
                since=1491923180.048,
                machine="agent-1",
            ),
        )
    ]


async def test_host_names_are_looked_up(marathon: Marathon) -> None:
    marathon.run("/prod/web", "agent-1.test", 31001)
    marathon.run("/prod/web", "agent-2.test", 31002)

    def lookup(host: str) -> tuple[str, ...]:
        if host == "agent-2.test":
            raise OSError("no such name")
        return ("10.0.0.5",)

    source = MarathonSource(url=marathon.url)
    options = Options("apps", LAYOUTS["native"], "/", "named", picks=(WEB,))
    adapter = MarathonAdapter(source, [Asked("/prod/web")], SOON)
    async with watching(adapter, options, lookup=lookup) as watched:
        await watched.until(lambda: bool(watched.last.problems) and len(watched.endpoints) == 1)
    assert places(watched.last) == {"web": ["10.0.0.5:31001"]}
    assert "agent-2.test does not resolve: no such name" in watched.last.problems[0].what


async def test_an_unknown_app_harms_nobody_else(marathon: Marathon) -> None:
    marathon.run("/prod/web", "10.0.0.5", 31001)
    async with seen(marathon, WEB, DB) as watched:
        await watched.until(lambda: bool(watched.last.problems) and bool(watched.endpoints))
        assert places(watched.last) == {"db": [], "web": ["10.0.0.5:31001"]}
        [problem] = watched.last.problems
        assert (problem.where, problem.what, problem.service) == ("apps /prod/db", "Marathon knows no such app", "db")
        marathon.run("/prod/db", "10.0.0.6", 31002)
        await watched.until(lambda: not watched.last.problems and len(watched.endpoints) == 2)


@pytest.mark.parametrize("mood", ["silent", "breaks off", "rubbish", 500, 401, 404])
async def test_when_it_fails_the_last_tasks_stay(marathon: Marathon, mood: Any) -> None:
    """Also while only one of several apps cannot be told; the snapshot is stale, and heals."""
    marathon.run("/prod/web", "10.0.0.5", 31001)
    async with seen(marathon, WEB, interval=0.02) as watched:
        await watched.until(lambda: len(watched.endpoints) == 1)
        marathon.mood = mood
        await watched.until(lambda: bool(watched.last.stale))
        assert places(watched.last) == {"web": ["10.0.0.5:31001"]}
        marathon.mood = ""
        marathon.run("/prod/web", "10.0.0.6", 31002)
        await watched.until(lambda: not watched.last.stale and len(watched.endpoints) == 2)


async def test_the_password_is_read_each_time(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password_file: dict[str, Any] = {"password-file": str(password)}
    with Marathon(user="us", password="new") as marathon:
        marathon.run("/prod/web", "10.0.0.5", 31001)
        async with seen(marathon, WEB, username="us", **password_file) as watched:
            await watched.until(lambda: "password-file" in watched.last.stale)
            password.write_text("old\n")
            await watched.until(lambda: "wrong name or password" in watched.last.stale)
            password.write_text("new\n")
            await watched.until(lambda: len(watched.endpoints) == 1)


async def test_a_sudden_loss_is_doubted(marathon: Marathon) -> None:
    """As of registries: a Marathon that has lost its memory must not empty the balancer while the tasks answer."""
    for number in range(1, 6):
        marathon.run("/prod/web", "127.0.0.1", 31000 + number)
    async with seen(marathon, WEB, interval=0.02) as watched:
        watched.answers = {("127.0.0.1", 31000 + number): "open" for number in range(1, 6)}
        await watched.until(lambda: len(watched.endpoints) == 5)
        marathon.apps["/prod/web"] = []
        await watched.until(lambda: any("vanished" in problem.what for problem in watched.last.problems))
        assert len(watched.endpoints) == 5
        watched.gate.thaw()
        await watched.until(lambda: not watched.endpoints)


async def test_many_events_in_a_row_are_one_look(marathon: Marathon) -> None:
    marathon.run("/prod/web", "10.0.0.5", 31001)
    async with seen(marathon, WEB) as watched:
        await eventually(lambda: marathon.listeners and marathon.asked("/prod/web") == 2, what="events are heard")
        for _ in range(500):
            marathon.tell("/prod/web")
        marathon.run("/prod/web", "10.0.0.6", 31002)
        await watched.until(lambda: len(watched.endpoints) == 2)
        assert marathon.asked("/prod/web") < 100


async def test_when_no_service_asks_for_an_app_that_is_said(marathon: Marathon) -> None:
    async with seen(marathon) as watched:
        await watched.until(lambda: bool(watched.last.problems))
    assert [problem.what for problem in watched.last.problems] == ["none of them asks for an app"]
