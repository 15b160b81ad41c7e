"""Telling systemd how it goes: ready, reading again, stopping, and signs of life for its watchdog (sd_notify(3)).

Without NOTIFY_SOCKET in the environment nobody listens, and nothing is said.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress


class Notify:
    """Words for the service manager, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        asked = environ.get("WATCHDOG_USEC", "")
        self._every = int(asked) / 2e6 if mine and asked.isascii() and asked.isdigit() else 0.0

    def ready(self) -> None:
        """It serves; a unit of Type=notify counts as started from now on."""
        self._say("READY=1")

    def stopping(self) -> None:
        """It begins to end."""
        self._say("STOPPING=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Within the block the configuration is read again."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.ready()

    async def keep_alive(self) -> None:
        """Give signs of life for as long as the event loop turns, if a watchdog asks for them: twice as often."""
        while self._every:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self._every)

    def _say(self, words: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.setblocking(False)
            way.sendto(words.encode(), self._address)
