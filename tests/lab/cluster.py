"""What real registries share in the lab: members on loopback that start, stop, hang and are waited for."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.lab import ports
from tests.lab.waiting import until


class Cluster:
    """`size` members, numbered from 0, each with `each` ports of its own. They end with the process that started them.

    A subclass says how a member is started and when it is healthy.
    """

    name = ""
    place = "127.0.0.1"
    """The address that the members listen on."""

    def __init__(self, size: int, each: int) -> None:
        self.size = size
        self.folder = Path(tempfile.gettempdir()) / f"longshore-lab-{secrets.token_hex(4)}"
        self.folder.mkdir()
        (self.folder / "owner").write_text(str(os.getpid()))
        self._ports = [ports.free(each) for _ in range(size)]
        self._running = dict[int, subprocess.Popen[bytes]]()

    def at(self, place: str) -> Self:
        """Have the members listen on this address; before they are started."""
        self.place = place
        return self

    def _command(self, member: int) -> Sequence[str | Path]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def _is_healthy(self, member: int) -> bool:
        """Tell whether a member serves clients; an OSError means that it does not yet."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start all members."""
        try:
            for member in range(self.size):
                self.start(member, wait=False)
            self.until_healthy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End them and remove their data."""
        self.close()

    def close(self) -> None:
        """End all members at once and remove their data."""
        for member in list(self._running):
            self.kill(member)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> list[int]:
        """The numbers of the members that were started and not ended."""
        return sorted(self._running)

    def start(self, member: int, *, wait: bool = True) -> None:
        """Start a member with the data it has."""
        with self.log(member).open("ab") as log:
            self._running[member] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command(member)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        if wait:
            self.until_healthy()

    def log(self, member: int) -> Path:
        """Return the file a member writes its log to."""
        return self.folder / f"{member}.log"

    def kill(self, member: int) -> None:
        """Kill a member, as a crash would."""
        self._end(member, signal.SIGKILL)

    def stop(self, member: int) -> None:
        """End a member politely."""
        self._end(member, signal.SIGTERM)

    def freeze(self, member: int) -> None:
        """Stop a member where it stands: its connections stay open and silent, as with a machine that hangs."""
        self._running[member].send_signal(signal.SIGSTOP)

    def thaw(self, member: int) -> None:
        """Let a frozen member go on."""
        self._running[member].send_signal(signal.SIGCONT)

    def until_healthy(self) -> None:
        """Wait until every member that runs serves clients."""
        until(self._are_healthy, 60, f"{self.name} serves (its logs: {self.folder})", every=0.05)

    def _are_healthy(self) -> bool:
        for member, process in list(self._running.items()):
            if process.poll() is not None:
                said = self.log(member).read_text()[-3000:]
                raise RuntimeError(f"{self.name} ended with {process.returncode}:\n{said}")
            if not self._is_healthy(member):
                return False
        return True

    def _end(self, member: int, number: signal.Signals) -> None:
        process = self._running.pop(member)
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        process.wait(30)
