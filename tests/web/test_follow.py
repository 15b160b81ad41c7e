"""Answers that wait: for endpoints, for the journal, and not for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from longshore.web import follow
from longshore.web.server import Web
from tests.web.conftest import Served
from tests.web.fake_agent import STATUS, FakeAgent

DEADLINE = 30


async def test_wait_answers_when_enough_endpoints_are_up(served: Served) -> None:
    async def wait() -> tuple[int, object]:
        async with served.socket.get("/v1/wait?service=shop-web&count=2&timeout=30") as response:
            return response.status, await response.json()

    asked = asyncio.create_task(wait())
    await served.agent.say("something else")
    await served.agent.put("shop-web-2", "up")
    async with asyncio.timeout(DEADLINE):
        assert await asked == (200, {"service": "shop-web", "up": 2, "count": 2})


async def test_wait_waits_for_a_service_that_does_not_exist_yet(served: Served) -> None:
    async def wait() -> int:
        async with served.socket.get("/v1/wait?service=later&timeout=30") as response:
            return response.status

    asked = asyncio.create_task(wait())
    await served.agent.change(replace(STATUS, services=(replace(STATUS.services[0], name="later"),)))
    async with asyncio.timeout(DEADLINE):
        assert await asked == 200


@pytest.mark.parametrize(
    ("service", "said"), [("shop-web", "service shop-web has 1 of 5 endpoints up"), ("other", "no service other")]
)
async def test_wait_that_takes_too_long_fails_and_says_how_far_it_came(served: Served, service: str, said: str) -> None:
    async with served.socket.get(f"/v1/wait?service={service}&count=5&timeout=0.05") as response:
        assert response.status == 504
        assert (await response.json())["error"] == said


async def read_event(response: aiohttp.ClientResponse) -> str:
    async with asyncio.timeout(DEADLINE):
        return (await response.content.readuntil(b"\n\n")).decode()


async def test_the_journal_is_streamed_from_where_the_caller_left_off(served: Served) -> None:
    async with served.socket.get("/v1/events?follow") as response:
        assert response.content_type == "text/event-stream"
        assert (await read_event(response)).startswith('id: 1\ndata: {"seq": 1')
        await served.agent.say("second")
        assert '"what": "second"' in await read_event(response)
    await served.agent.say("third")
    async with served.socket.get("/v1/events?follow=true", headers={"Last-Event-ID": "2"}) as response:
        assert (await read_event(response)).startswith("id: 3")
    async with served.socket.get("/v1/events?after=2") as response:
        assert [event["what"] for event in (await response.json())["events"]] == ["third"]


async def test_a_quiet_stream_shows_that_it_lives(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BEAT", 0.01)
    async with served.socket.get("/v1/events?follow&after=1") as response:
        assert await read_event(response) == ": alive\n\n"


async def test_the_server_stops_while_callers_wait(tmp_path: Path) -> None:
    """A stream never ends by itself: the server must end it, or it could not stop."""
    agent = FakeAgent()
    async with aiohttp.ClientSession(
        "http://a", connector=aiohttp.UnixConnector(str(tmp_path / "longshore.sock"))
    ) as c:
        async with Web(agent, tmp_path):
            stream = await c.get("/v1/events?follow")
            await read_event(stream)
            waiting = asyncio.create_task(c.get("/v1/wait?service=never&timeout=3600"))
            await agent.say("a change that the waiting one looks at")
            await read_event(stream)
        async with asyncio.timeout(DEADLINE):
            assert await stream.content.read() == b""
            stream.close()
            with suppress(aiohttp.ClientError):
                (await waiting).close()
