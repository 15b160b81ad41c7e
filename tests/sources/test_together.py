"""Endless work that belongs together ends together, and leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from longshore.clients.registry_faults import RegistryError
from longshore.sources.together import together


class Work:
    """Parts that go on for ever, fail, or fail in a group of their own."""

    def __init__(self) -> None:
        self.ended = 0
        self.go = asyncio.Event()

    async def endless(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    async def failing(self, error: Exception) -> None:
        await self.go.wait()
        raise error

    async def group(self, error: Exception) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.failing(error))
            group.create_task(self.endless())


async def test_what_breaks_one_part_breaks_all_and_is_told_as_itself() -> None:
    work, fault = Work(), RegistryError("no leader")
    work.go.set()
    for failing in (work.failing(fault), work.group(fault)):
        with pytest.raises(RegistryError, match="no leader"):
            await together(work.endless(), failing)
    assert work.ended == 3
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling(), "who tries again would take it for the wish to end"


async def test_a_bug_is_told_before_a_fault() -> None:
    work = Work()
    work.go.set()
    with pytest.raises(KeyError):
        await together(work.failing(RegistryError("no leader")), work.group(KeyError("bug")))


async def test_whoever_is_cancelled_ends_everything() -> None:
    work = Work()
    task = asyncio.create_task(together(work.endless(), work.endless()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended == 2
