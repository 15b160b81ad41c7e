"""What `longshore up` logs of what it does: the journal as it is written, and problems when they come and go."""

from __future__ import annotations

import asyncio
import time

import structlog

from longshore.agent.report import Agent
from longshore.core.model import Problem

PACE = 1.0  # seconds at least between looks at the problems

log = structlog.get_logger()


async def tell_journal(agent: Agent) -> None:
    """Log every entry of the journal."""
    told = seq = 0
    while True:
        for event in agent.events(told):
            told = event.seq
            log.info(event.what, **_present(why=event.why))
        seq = await agent.next_change(seq)


async def tell_problems(agent: Agent) -> None:
    """Log every problem once, and when it is gone. Looks as rarely as looking is dear: with many endpoints it is."""
    seq = 0
    known: set[Problem] = set()
    while True:
        seq = await agent.next_change(seq)
        began = time.monotonic()
        problems = agent.problems()
        for problem in problems:
            if problem not in known:
                log.warning(problem.what, **_present(where=problem.where, hint=problem.hint))
        for problem in known.difference(problems):
            log.info("no longer a problem", what=problem.what, where=problem.where)
        known = set(problems)
        await asyncio.sleep(max(PACE, 50 * (time.monotonic() - began)))


def _present(**words: str) -> dict[str, str]:
    return {key: value for key, value in words.items() if value}
