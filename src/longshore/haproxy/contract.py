"""A HAProxy process as the rest of the program sees it: `Managed` (ours) and `Attached` (somebody else's) alike.

Both keep one rule: the configuration file on disk is what runs. `start`, `reload` and `save` take the full text,
check it with `haproxy -c` where it matters, and put it in place atomically; a broken text changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from longshore.clients.haproxy import RuntimeClient


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A reload that worked: a new worker serves the new configuration."""

    reason: str
    pid: int  # of the new worker
    seconds: float  # from the check of the configuration until the new worker answered
    warnings: tuple[str, ...] = ()  # what HAProxy said although it took the configuration


class Process(Protocol):
    """One HAProxy. Every method raises `HAProxyError` with words for people; see haproxy/faults.py for its kinds."""

    @property
    def managed(self) -> bool:
        """Whether we start and stop it."""
        ...

    @property
    def pid(self) -> int:
        """The master's pid; 0 while none is known."""
        ...

    async def start(self, config: str) -> None:
        """Write and check `config`, start HAProxy and wait until it answers.

        Attached: HAProxy must be running; puts `config` in place and reloads. Raises `AddressError`, `ConfigError`,
        `BinaryError`, `StartError`.
        """
        ...

    async def adopt(self) -> bool:
        """Take over a HAProxy that already runs with our files, as it is: no reload. False if there is none of ours.

        Attached: True if it answers and its configuration file was written by us.
        """
        ...

    async def reload(self, config: str, reason: str) -> Reloaded:
        """Replace the worker, losing no request. On any failure the old one keeps serving and its file is back.

        Saves server states (and counters where HAProxy can) first, and reconnects `runtime()` to the new worker.
        One reload at a time: a second caller waits for the first.
        """
        ...

    async def save(self, config: str) -> None:
        """Put `config` in place for the next start, without a reload: what runs was already changed at runtime."""
        ...

    def runtime(self) -> RuntimeClient:
        """The connection to the worker that serves now; the same object for the life of the process."""
        ...

    async def wait_exit(self) -> str:
        """Wait until HAProxy has ended; answers how, for people: "HAProxy (pid 7) was killed by SIGSEGV"."""
        ...

    async def stop(self, drain: float) -> None:
        """Let running requests finish for at most `drain` seconds, then end HAProxy. Attached: leaves it running."""
        ...

    async def close(self) -> None:
        """Let go: close our connections, leave HAProxy running."""
        ...
