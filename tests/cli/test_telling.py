"""What `up` logs: the journal, and each problem once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from longshore.cli import telling
from longshore.core.model import Problem
from tests.web.fake_agent import STATUS, FakeAgent


async def logged(logs: Sequence[object], count: int) -> None:
    async with asyncio.timeout(30):
        while len(logs) < count:  # noqa: ASYNC110 - nothing tells when something is logged
            await asyncio.sleep(0.01)


async def test_the_journal_is_logged_as_it_is_written() -> None:
    agent = FakeAgent()
    with capture_logs() as logs:
        task = asyncio.create_task(telling.tell_journal(agent))
        await logged(logs, 1)
        await agent.say("news")
        await logged(logs, 2)
        task.cancel()
    assert logs[0] == {"event": "endpoint shop-web-1 up", "why": "it answered", "log_level": "info"}
    assert logs[1] == {"event": "news", "log_level": "info"}


async def test_a_problem_is_logged_once_and_when_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PACE", 0.0)
    agent = FakeAgent(replace(STATUS, problems=(Problem("here", "broken", "mend it"),)))
    with capture_logs() as logs:
        task = asyncio.create_task(telling.tell_problems(agent))
        await logged(logs, 1)
        await agent.say("something else")
        await agent.change(replace(agent.status(), problems=()))
        await logged(logs, 2)
        task.cancel()
    assert logs == [
        {"event": "broken", "where": "here", "hint": "mend it", "log_level": "warning"},
        {"event": "no longer a problem", "what": "broken", "where": "here", "log_level": "info"},
    ]
