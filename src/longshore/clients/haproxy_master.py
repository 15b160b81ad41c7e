"""Client of HAProxy's master socket (`haproxy -W -S …`): who runs, and reload.

management.txt 9.4 "Master CLI". One connection per command: the master re-executes itself on a reload, and from 2.7 on
answers `reload` only when the new worker is ready, "Success=1" or "Success=0" and its start-up log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass

from longshore.clients.haproxy_faults import HAProxyError, UnreachableError, unreachable

_FAILED = re.compile(r"\[failed: (\d+)\]")


@dataclass(frozen=True, slots=True)
class Processes:
    """What `show proc` tells of a master and its workers."""

    master: int  # pid
    reloads: int  # how often the master was told to reload, failures included
    failed: int  # failed reloads since the last that worked
    worker: int  # pid of the worker that serves; 0 if none is listed
    old: tuple[int, ...]  # pids of workers that finish their connections
    version: str = ""  # of the master's binary

    @property
    def pids(self) -> frozenset[int]:
        """Every process that is part of this HAProxy."""
        return frozenset({self.master, self.worker, *self.old} - {0})


@dataclass(frozen=True, slots=True)
class ReloadAnswer:
    """The master's answer to `reload`."""

    ok: bool | None  # None: it gives none (2.6); `processes` will tell
    log: tuple[str, ...] = ()  # lines HAProxy wrote while it loaded


class MasterClient:
    """The master socket at `path`.

    `timeout` is how many seconds an answer may take; short, because 2.6 loses a connection that comes while it starts
    or re-executes: ask again. `loading` is the same for `reload`, which on 2.7+ answers when the new worker is ready.
    """

    def __init__(self, path: str, *, timeout: float = 2.0, loading: float = 60.0) -> None:
        self.path = path
        self.timeout = timeout
        self.loading = loading

    async def processes(self) -> Processes:
        """Ask who runs. Raises `UnreachableError`, also for a moment while the master re-executes."""
        return parse_processes(await self.ask("show proc"))

    async def reload(self) -> ReloadAnswer:
        """Tell the master to load its configuration anew. On 2.6 it only begins to."""
        text = await self._ask("reload", self.loading)
        found = re.match(r"Success=([01])\n", text)
        if not found:
            if text.strip():
                raise HAProxyError(f"the master of HAProxy refuses to reload: {text.strip()[:200]}")
            return ReloadAnswer(None)
        lines = text[found.end() :].removeprefix("--\n").splitlines()
        return ReloadAnswer(found[1] == "1", tuple(line for line in lines if line.strip()))

    async def ask(self, line: str) -> str:
        """The answer to a command of one line, such as `help`."""
        return await self._ask(line, self.timeout)

    async def _ask(self, line: str, timeout: float) -> str:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_unix_connection(self.path)
                writer.write(line.encode() + b"\n")
                writer.write_eof()  # else 2.6 waits for more commands instead of closing after its answer
                return (await reader.read()).decode("utf-8", "replace")
        except ConnectionResetError:
            return ""  # how 2.6 closes when it re-executes
        except OSError as error:
            raise unreachable(self.path, error) from error
        finally:
            if writer:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


def parse_processes(text: str) -> Processes:
    """Read the table of `show proc`. On 3.2+, after a failed reload, the serving worker is listed as an old one."""
    section, master, reloads, failed, version = "", 0, 0, 0, ""
    current: list[tuple[int, int]] = []  # (reloads survived, pid)
    old: list[tuple[int, int]] = []
    for line in text.splitlines():
        if line.startswith("#"):
            section = line[1:].strip()
            continue
        words = line.split()
        if len(words) < 3 or not words[0].isdigit():
            continue
        if words[1] == "master":
            found = _FAILED.search(line)
            master, reloads, failed, version = int(words[0]), int(words[2]), int(found[1]) if found else 0, words[-1]
        elif words[1] == "worker":
            (old if section == "old workers" else current).append((int(words[2]), int(words[0])))
    if not master:
        raise UnreachableError(f"the master of HAProxy answers `show proc` with {text[:200]!r}")
    current.sort()
    old.sort()
    if not current and failed:
        current, old = old[:1], old[1:]
    return Processes(master, reloads, failed, current[0][1] if current else 0, tuple(pid for _, pid in old), version)
