"""The client of Marathon: what is read of tasks and events, and what is said when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.clients.marathon import Login, MarathonClient, Patience, Task
from longshore.clients.marathon_faults import MarathonError
from longshore.clients.tls import TlsFiles
from tests.lab.marathon import Marathon, health, task

QUICK = Patience(connect=1.0, answer=1.0, silence=1.0)


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon() as api:
        yield api


def client_of(marathon: Marathon, **more: Any) -> MarathonClient:
    return MarathonClient(marathon.url, **({"patience": QUICK} | more))


async def tasks(marathon: Marathon, app: str = "/prod/web", **more: Any) -> list[Task] | None:
    async with client_of(marathon, **more) as client:
        return await client.tasks(app)


async def fault(marathon: Marathon, **more: Any) -> MarathonError:
    with pytest.raises(MarathonError) as caught:
        await tasks(marathon, **more)
    return caught.value


async def test_tasks(marathon: Marathon) -> None:
    marathon.apps["/prod/web"] = [
        task("/prod/web", "10.0.1.30", 29262, 29263, healthCheckResults=health(True, False), zone="eu-west-1a"),
        task("/prod/web", "agent-2", number=2, state="TASK_STAGING", startedAt=None),
        task("/prod/web", "agent-3", 31000, number=3, state=None, ports=None),
    ]
    assert await tasks(marathon) == [
        Task(
            "prod_web.00000001-1ec5-11e7-882b-1681ed3e70e2",
            "10.0.1.30",
            (29262, 29263),
            "TASK_RUNNING",
            "2017-04-11T15:06:20.048Z",
            (True, False),
            "eu-west-1a",
        ),
        Task("prod_web.00000002-1ec5-11e7-882b-1681ed3e70e2", "agent-2", (), "TASK_STAGING", ""),
        Task("prod_web.00000003-1ec5-11e7-882b-1681ed3e70e2", "agent-3", (), "", "2017-04-11T15:06:20.048Z"),
    ]
    assert [call.target for call in marathon.calls] == ["/v2/apps/prod/web/tasks"]


async def test_an_app_that_is_not_known(marathon: Marathon) -> None:
    assert await tasks(marathon, "/prod/wbe") is None


async def test_another_path(marathon: Marathon) -> None:
    """Marathon may stand behind something: /service/marathon of DC/OS."""
    async with MarathonClient(marathon.url + "/service", "/v2/apps/{app}/tasks?embed=x", patience=QUICK) as client:
        with pytest.raises(MarathonError, match="has no /v2/apps/web/tasks"):
            await client.tasks("/web")
    assert marathon.calls[0].target == "/service/v2/apps/web/tasks?embed=x"


async def test_a_login() -> None:
    with Marathon(user="us", password="gehéim") as marathon:
        marathon.apps["/prod/web"] = []
        assert await tasks(marathon, login=Login("us", lambda: "gehéim")) == []
        said = await fault(marathon, login=Login("us", lambda: "wrong"))
        assert said.what == f"Marathon at {marathon.url} refuses user us: wrong name or password"
        said = await fault(marathon)
        assert said.what.endswith("asks for a user")
        assert said.hint == "set username and password-file"
        marathon.forbidden = True
        said = await fault(marathon, login=Login("us", lambda: "gehéim"))
        assert said.what.endswith("does not permit user us to see /v2/apps/prod/web/tasks")


@pytest.mark.parametrize(
    ("mood", "what"),
    [
        ("silent", "does not answer in time"),
        ("hangs up", "closed the connection without an answer"),
        ("breaks off", "broke off in the middle of an answer"),
        ("rubbish", "is not Marathon: /v2/apps/prod/web/tasks gave '<html>It works!</html>'"),
        (503, "answers /v2/apps/prod/web/tasks with 503"),
        (302, "sends us elsewhere (302)"),
        (404, "has no /v2/apps/prod/web/tasks (404)"),
    ],
)
async def test_moods(marathon: Marathon, mood: Any, what: str) -> None:
    marathon.apps["/prod/web"] = [task("/prod/web", "10.0.0.5", 1)]
    marathon.mood = mood
    assert what in (await fault(marathon)).what


@pytest.mark.parametrize(
    "odd",
    [{"ports": ["80"]}, {"ports": 80}, {"id": 7}, {"host": None}, {"healthCheckResults": 5}, {"ports": [True]}],
)
async def test_answers_of_another_form(marathon: Marathon, odd: dict[str, Any]) -> None:
    marathon.apps["/prod/web"] = [task("/prod/web", "10.0.0.5", 1) | odd]
    assert "is not Marathon" in (await fault(marathon)).what


async def test_events_say_which_app(marathon: Marathon) -> None:
    """Those about something else are none, even where Marathon does not sort them out."""
    heard = list[str]()
    async with client_of(marathon) as client, asyncio.timeout(20):
        async for app in client.changes():
            heard.append(app)
            if app == "":
                marathon.tell("/prod/web")
                marathon.tell("/other", "deployment_info")
                marathon.tell("/prod/db", "health_status_changed_event")
            if app == "/prod/db":
                break
    assert heard == ["", "/prod/web", "/prod/db"]
    assert "event_type=status_update_event&" in marathon.calls[0].target


async def test_a_stream_that_is_silent_ends(marathon: Marathon) -> None:
    marathon.mood = "silent"
    async with client_of(marathon) as client, asyncio.timeout(20):
        with pytest.raises(MarathonError, match="does not answer in time"):
            await anext(client.changes())


async def test_no_stream() -> None:
    with Marathon(streams=False) as marathon:
        async with client_of(marathon) as client:
            with pytest.raises(MarathonError, match="has no /v2/events"):
                await anext(client.changes())


async def test_plain_http_where_tls_is_meant(marathon: Marathon) -> None:
    async with MarathonClient(marathon.url.replace("http:", "https:"), patience=QUICK) as client:
        with pytest.raises(MarathonError, match="does not speak TLS"):
            await client.tasks("/web")


async def test_certificates_that_cannot_be_read(marathon: Marathon, tmp_path: Path) -> None:
    files = TlsFiles(ca=str(tmp_path / "none.pem"))
    async with MarathonClient(marathon.url.replace("http:", "https:"), tls=files, patience=QUICK) as client:
        with pytest.raises(MarathonError, match=r"none\.pem: No such file"):
            await client.tasks("/web")
