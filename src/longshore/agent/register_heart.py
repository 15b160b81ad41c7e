"""The registrar's heartbeat: a file whose time is set again and again while all is well, for a watchdog to look at.

Nerve's `heartbeat_path`: it was touched by the main loop, each ten seconds, and the loop stood still while ZooKeeper
was away. Here it is not touched while a registry is away or a part of the registrar failed by a defect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from longshore.core.model import Problem

BEAT = 10.0  # seconds


class Heart:
    """Beats once each `BEAT`. `file` is asked which one to touch (None: none), `well` whether all is well."""

    def __init__(self, file: Callable[[], Path | None], well: Callable[[], bool]) -> None:
        self._file, self._well = file, well
        self.problem: Problem | None = None
        self._soon = asyncio.Event()

    def soon(self) -> None:
        """Beat now: it is another file, or all became well."""
        self._soon.set()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._soon.clear()
            well = self._well()
            if well and (file := self._file()) is not None:
                self.problem = await asyncio.to_thread(_touched, file)
            try:
                async with asyncio.timeout(BEAT if well else BEAT / 10):
                    await self._soon.wait()
            except TimeoutError:
                continue


def _touched(file: Path) -> Problem | None:
    try:
        file.touch()
    except OSError as error:
        what = f"heartbeat-file {file} cannot be touched: {error.strerror or error}"
        return Problem("register", what, "its folder must be there, and longshore be allowed to write in it")
    return None
