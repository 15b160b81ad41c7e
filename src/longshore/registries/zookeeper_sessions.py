"""Which sessions with ZooKeeper were ours, kept in the state directory.

Nerve's entries say no owner, so a node that an earlier run of ours left looks as one that a Nerve keeps beside us. Only
the session tells them apart: ours are known here, and nothing that another session keeps is ever taken away.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import structlog

log = structlog.get_logger()
MOST = 64  # sessions remembered; they live for seconds, so the last few would do
ONE_AT_A_TIME = threading.Lock()  # holders of one registrar share the file


class OwnSessions:
    """The sessions of a registrar, of earlier runs too: hexadecimal numbers in a file, the newest last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def join(self, session: int) -> frozenset[int]:
        """Add a session, before it makes a node; return all of them.

        Without the file what an earlier run left is left alone, and goes when its session ends: that is only said.
        """
        return await asyncio.to_thread(self._join, session)

    def _join(self, session: int) -> frozenset[int]:
        with ONE_AT_A_TIME:
            known = [*(each for each in self._read() if each != session), session][-MOST:]
            fresh = self._path.with_suffix(".new")
            try:
                fresh.write_text("".join(f"{each:x}\n" for each in known), encoding="ascii")
                fresh.replace(self._path)
            except OSError as error:
                log.warning("sessions with ZooKeeper cannot be remembered", file=str(self._path), why=str(error))
        return frozenset(known)

    def _read(self) -> list[int]:
        try:
            return [int(line, 16) for line in self._path.read_text(encoding="ascii").split()]
        except (OSError, ValueError):
            return []
