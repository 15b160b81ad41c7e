"""Endless work that belongs together: what breaks one part breaks all, and the fault is told as itself.

A TaskGroup would do, but before Python 3.13 one that fails leaves its task marked as being cancelled, which those who
try again must take for the wish to end (`registered`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

from longshore.clients.registry_faults import RegistryError


async def together(*parts: Coroutine[Any, Any, Any]) -> NoReturn:
    """Run all parts until one raises; end the others and raise that."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    raised = [result for result in results if isinstance(result, BaseException)]
    faults = [fault for fault in raised if not isinstance(fault, asyncio.CancelledError)]
    if not faults:
        raise AssertionError("endless work ends by an error only")
    raise _first(faults)


def _first(faults: list[BaseException]) -> BaseException:
    """Give the one exception that matters of those that were raised together: a bug before a fault."""
    leaves = [_first(list(each.exceptions)) if isinstance(each, BaseExceptionGroup) else each for each in faults]
    return next((error for error in leaves if not isinstance(error, RegistryError)), leaves[0])
