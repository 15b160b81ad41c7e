"""Waiting for a condition, never for luck: every wait has a deadline and says what it waited for."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

GENEROUS = 30.0  # seconds; machines that test are slow and shared, and a deadline is only met when something is broken


def until(condition: Callable[[], T], deadline: float = GENEROUS, what: str = "", every: float = 0.02) -> T:
    """Call `condition` until it gives something true and return that; fail after `deadline` seconds.

    An OSError or AssertionError inside `condition` counts as "not yet" and is told when the time is over.
    """
    end = time.monotonic() + deadline
    while True:
        last: object = None
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(_missed(condition, what, deadline, last))
        time.sleep(every)


async def eventually(
    condition: Callable[[], T | Awaitable[T]], deadline: float = GENEROUS, what: str = "", every: float = 0.02
) -> T:
    """Do what `until` does, for asynchronous tests: `condition` may be a coroutine function."""
    end = asyncio.get_running_loop().time() + deadline
    while True:
        last: object = None
        try:
            found = condition()
            value: T = await found if inspect.isawaitable(found) else found
            if value:
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(_missed(condition, what, deadline, last))
        await asyncio.sleep(every)


def _missed(condition: object, what: str, deadline: float, last: object) -> str:
    name = what or getattr(condition, "__name__", repr(condition))
    return f"did not come true within {deadline:g} s: {name}; the last answer was {str(last) or repr(last)}"
