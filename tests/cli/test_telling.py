"""What `up` logs: the journal, and each problem once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from longshore.cli import telling
from longshore.core.model import Problem
from tests.lab.waiting import eventually
from tests.web.fake_agent import STATUS, FakeAgent


async def test_the_journal_is_logged_as_it_is_written() -> None:
    agent = FakeAgent()
    with capture_logs() as logs:
        task = asyncio.create_task(telling.tell_journal(agent))
        await eventually(lambda: len(logs) == 1)
        await agent.say("news")
        await eventually(lambda: len(logs) == 2)
        task.cancel()
    assert logs[0] == {"event": "endpoint shop-web-1 up", "why": "it answered", "log_level": "info"}
    assert logs[1] == {"event": "news", "log_level": "info"}


async def test_a_problem_is_logged_once_and_when_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PACE", 0.0)
    agent = FakeAgent(replace(STATUS, problems=(Problem("here", "broken", "mend it"),)))
    with capture_logs() as logs:
        task = asyncio.create_task(telling.tell_problems(agent))
        await eventually(lambda: len(logs) == 1)
        await agent.say("something else")
        await agent.change(replace(agent.status(), problems=()))
        await eventually(lambda: len(logs) == 2)
        task.cancel()
    assert logs == [
        {"event": "broken", "where": "here", "hint": "mend it", "log_level": "warning"},
        {"event": "no longer a problem", "what": "broken", "where": "here", "log_level": "info"},
    ]
