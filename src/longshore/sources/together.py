"""Endless work that belongs together: what breaks one part breaks all, and the fault is told as itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

from longshore.clients.registry_faults import RegistryError


async def together(*parts: Coroutine[Any, Any, Any]) -> NoReturn:
    """Run all parts until one raises; end the others and raise that."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except BaseExceptionGroup as several:
        raise _first(several) from several
    raise AssertionError("endless work ends by an error only")


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one exception that matters of those that tasks raised together: a bug before a fault."""
    leaves = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in several.exceptions]
    return next((error for error in leaves if not isinstance(error, RegistryError)), leaves[0])
