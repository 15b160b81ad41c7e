"""The ring of events, and waiting for the next one."""

from __future__ import annotations

import asyncio

import pytest

from longshore.agent.journal import Journal

DEADLINE = 20


def test_events_are_numbered_dated_and_returned_oldest_first() -> None:
    times = iter((10.0, 20.0))
    journal = Journal(clock=lambda: next(times))
    journal.add("endpoint web-1 in", "container started", "web")
    journal.add("HAProxy started")
    first, second = journal.after()
    assert (first.seq, first.at, first.what, first.why, first.service) == (
        1,
        10.0,
        "endpoint web-1 in",
        "container started",
        "web",
    )
    assert (second.seq, second.at) == (2, 20.0)
    assert journal.after(1) == (second,)
    assert journal.after(2) == ()


def test_a_change_without_event_counts_but_is_not_listed() -> None:
    journal = Journal()
    journal.touch()
    event = journal.add("one")
    assert event.seq == journal.seq == 2
    assert journal.after() == (event,)


def test_the_oldest_event_makes_room_and_numbers_go_on() -> None:
    journal = Journal(length=3)
    for number in range(5):
        journal.add(f"{number}")
    assert [(event.seq, event.what) for event in journal.after()] == [(3, "2"), (4, "3"), (5, "4")]


async def test_everybody_who_waits_learns_of_the_next_change() -> None:
    journal = Journal()
    async with asyncio.timeout(DEADLINE):
        waiting = [asyncio.create_task(journal.next_change(0)) for _ in range(3)]
        await asyncio.sleep(0)
        journal.add("one")
        assert await asyncio.gather(*waiting) == [1, 1, 1]


async def test_who_is_behind_does_not_wait() -> None:
    journal = Journal()
    journal.add("one")
    journal.touch()
    async with asyncio.timeout(DEADLINE):
        assert await journal.next_change(0) == 2
        assert await journal.next_change(99) == 2


async def test_who_is_up_to_date_waits() -> None:
    journal = Journal()
    journal.add("one")
    waiting = asyncio.create_task(journal.next_change(1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
