"""From threads into the event loop, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable


class Inbox:
    """Calls from other threads, made on the event loop in their order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls = deque[Callable[[], None]]()
        self._is_due = False

    def put(self, call: Callable[[], None]) -> None:
        """Have `call` called on the event loop. For any thread."""
        self._calls.append(call)
        if not self._is_due:
            self._is_due = True
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody asks any more
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._is_due = False
        while self._calls:
            self._calls.popleft()()
