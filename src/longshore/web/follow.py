"""Answers that wait for something: the next change of the status, a service's endpoints, the journal's next entries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from aiohttp import web

from longshore.agent.report import Agent, Status, to_json

BEAT = 15.0  # seconds between signs of life of a stream in which nothing happens
PACE = 0.05  # seconds at least between looks at the status while it changes all the time
SHARE = 20  # one look takes at most this part of the time: with many endpoints looking is dear
T = TypeVar("T")


class Follower:
    """Waits for changes of the agent, until the server closes."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all waiting: a server cannot stop while it streams."""
        self._closing.set()

    @property
    def closing(self) -> bool:
        """Whether the server is about to stop."""
        return self._closing.is_set()

    async def next_change(self, seq: int, timeout: float) -> int:
        """Wait for a change after `seq`, at most `timeout` seconds; return where the agent is now."""
        change = asyncio.ensure_future(self.agent.next_change(seq))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({change, closing}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            return change.result() if change.done() else seq
        finally:
            for task in (change, closing):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def until(self, good: Callable[[Status], bool], timeout: float) -> tuple[Status, bool]:
        """Wait until the status is good; return the last one seen, and whether it is."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        while True:
            looked = clock()
            status = self.agent.status()
            if good(status):
                return status, True
            if clock() >= deadline or self.closing:
                return status, False
            next_look = clock() + max(PACE, SHARE * (clock() - looked))
            await self.next_change(status.seq, deadline - clock())
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), min(next_look, deadline) - clock())

    async def stream(self, request: web.Request, after: int) -> web.StreamResponse:
        """Send the journal as server-sent events, from the one after `after` on, while the caller listens."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        seq = 0
        with suppress(ConnectionError):
            while not self.closing:
                for event in self.agent.events(after):
                    data = json.dumps(to_json(event), ensure_ascii=False)
                    await response.write(f"id: {event.seq}\ndata: {data}\n\n".encode())
                    after = event.seq
                before, seq = seq, await self.next_change(seq, BEAT)
                if seq == before and not self.closing:
                    await response.write(b": alive\n\n")
        return response
