"""Which process is ours: a pid alone proves nothing, the kernel uses it again. A pid and its start time do.

/proc/PID/stat field 22 (proc(5)) is the start time in ticks since boot; it stays when HAProxy re-executes itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from longshore.haproxy.config_file import write

_POLL = 0.2  # seconds; only where the kernel lets us have no pidfd


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for all time."""

    pid: int
    started: int  # ticks since boot
    boot: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return identify(self.pid) == self

    @property
    def words(self) -> tuple[str, ...]:
        """Its command line; () if it cannot be read."""
        try:
            return tuple(Path(f"/proc/{self.pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0"))
        except OSError:
            return ()

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False if it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        except OSError:
            handle = -1
        try:
            if not self.alive:
                return False
            if handle < 0:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            if handle >= 0:
                os.close(handle)
        return True

    async def ended(self) -> None:
        """Wait until it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
                raise
            while self.alive:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(_POLL)
            return
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        try:
            if self.alive:
                loop.add_reader(handle, over.set)
                await over.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None if there is none, or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # from field 3 on; the name before may hold anything
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]), boot)


def with_words(wanted: Callable[[tuple[str, ...]], bool]) -> tuple[Identity, ...]:
    """Every process whose command line is wanted."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = (identify(pid) for pid in pids)
    return tuple(each for each in found if each and wanted(each.words))


def reap(pid: int) -> int | None:
    """Collect our child's wait status; None if it is not our child, not ended, or collected before."""
    with contextlib.suppress(ChildProcessError):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
    return None


def how(status: int | None) -> str:
    """Say a wait status in words; None: nobody knows it."""
    if status is None:
        return "ended"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}" + (f" ({signal.Signals(code - 128).name})" if 128 < code < 160 else "")
    return f"was killed by {signal.Signals(-code).name}"


def remember(path: str, identity: Identity) -> None:
    """Write the pid file."""
    write(Path(path), json.dumps(asdict(identity)) + "\n")


def recall(path: str) -> Identity | None:
    """The process that the pid file means, if it still runs."""
    try:
        told = Identity(**json.loads(Path(path).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return told if isinstance(told.pid, int) and told.alive else None
