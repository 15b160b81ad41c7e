"""What happened lately and why: the last thousand notable events, and a way to wait for the next.

One counter numbers everything that people may want to look at again: each event gets the next number, and `touch` takes
one for a change that is no event (another state in `status`). So one `seq` says how far a reader has come with both.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable

from longshore.agent.report import Event

LENGTH = 1000


class Journal:
    """A ring of events; when it is full, the oldest one goes."""

    def __init__(self, length: int = LENGTH, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self.seq = 0
        self._events: deque[Event] = deque(maxlen=length)
        self._clock = clock
        self._news = asyncio.Event()

    def add(self, what: str, why: str = "", service: str = "") -> Event:
        """Write down what happened."""
        event = Event(self.seq + 1, self._clock(), what, why, service)
        self._events.append(event)
        self.touch()
        return event

    def touch(self) -> None:
        """Tell those who wait that something changed."""
        self.seq += 1
        self._news.set()

    def after(self, seq: int = 0) -> tuple[Event, ...]:
        """Return the events with a greater `seq`, oldest first; those that fell out of the ring are missing."""
        new = list(itertools.takewhile(lambda event: event.seq > seq, reversed(self._events)))
        return tuple(reversed(new))

    async def next_change(self, seq: int) -> int:
        """Wait until something has happened after `seq`; return how far it is now.

        A `seq` from the future is one of an earlier life: it returns at once.
        """
        while self.seq == seq:
            self._news.clear()
            await self._news.wait()
        return self.seq
