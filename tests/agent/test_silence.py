"""Which silent connections are cut: HAProxy's, to its servers, and nobody else's. The kernel's part is tested apart."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.agent import silence
from longshore.clients.silent import Connection, UnavailableError
from longshore.core.render import Paths, Process
from longshore.core.running import Running, RunningBackend, RunningServer
from longshore.core.server import Server
from tests.lab.waiting import eventually


def connection(address: str, port: int, inode: int) -> Connection:
    return Connection(address, port, 5, inode, socket.AF_INET, b"")


RUNNING = Running(Process(Paths("/state")))
RUNNING.backends["s:web"] = RunningBackend("s:web", "p-1")
RUNNING.backends["s:web"].servers["a"] = RunningServer(Server("a", "10.0.0.5", 8000, "", 100), "maint", 100)
TO_SERVER = connection("10.0.0.5", 8000, 1)
TO_CLIENT = connection("10.0.0.9", 50123, 2)
OTHERS = connection("10.0.0.5", 8000, 3)  # to the same server, but not HAProxy's


class Kernel:
    """What the kernel would say and do; `error` is what it refuses with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError | None = None) -> None:
        self.found = [TO_SERVER, TO_CLIENT, OTHERS]
        self.error = error
        self.mute: OSError | None = None
        self.cuts: list[Connection] = []
        self.looks = 0
        self.said: list[tuple[str, str]] = []
        monkeypatch.setattr(silence, "LOOK", 0.001)
        monkeypatch.setattr(silence, "silent", self.silent)
        monkeypatch.setattr(silence, "cut", self.cut)
        monkeypatch.setattr(silence, "_of_haproxy", lambda given: [each for each in given if each.inode != 3])

    def silent(self, repeats: int) -> list[Connection]:
        self.looks += 1
        if self.mute:
            raise self.mute
        return [each for each in self.found if each.repeats >= repeats]

    def cut(self, connection: Connection) -> None:
        if self.error:
            raise self.error
        self.cuts.append(connection)
        self.found.remove(connection)

    async def watched(self, looks: int) -> None:
        """Have it looked so often."""
        task = asyncio.create_task(silence.watch(lambda: RUNNING, lambda what, why: self.said.append((what, why))))
        await eventually(lambda: self.looks >= looks)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_connections_of_haproxy_to_its_servers_are_cut_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    await kernel.watched(3)
    assert kernel.cuts == [TO_SERVER]
    assert [what for what, _ in kernel.said] == ["1 connections to 10.0.0.5:8000 cut"]


async def test_who_may_not_cut_says_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, UnavailableError(errno.EPERM, "the kernel refuses: EPERM"))
    await kernel.watched(4)
    assert kernel.said == [
        (
            "connections to a machine that does not answer cannot be cut",
            f"the kernel refuses: EPERM: {silence.HINT}",
        )
    ]


async def test_a_kernel_that_tells_nothing_is_said_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    kernel.mute = UnavailableError(errno.EAFNOSUPPORT, "the kernel tells nothing")
    await kernel.watched(1)
    assert kernel.said == [(silence.CANNOT, f"the kernel tells nothing: {silence.HINT}")]
    assert kernel.looks == 1


def process(folder: Path, pid: int, name: str, *inodes: int) -> Path:
    (folder / str(pid) / "fd").mkdir(parents=True)
    (folder / str(pid) / "comm").write_text(f"{name}\n")
    for number, inode in enumerate(inodes):
        (folder / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    return folder / str(pid) / "fd"


def test_whose_a_connection_is_is_told_by_its_process(tmp_path: Path) -> None:
    process(tmp_path, 1, "haproxy", 1, 77)
    process(tmp_path, 2, "curl", 3)
    assert silence._of_haproxy([TO_SERVER, OTHERS], tmp_path) == [TO_SERVER]


def test_a_haproxy_that_may_not_be_looked_at_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's, or has more rights than longshore."""
    process(tmp_path, 2, "curl", 3)
    closed = process(tmp_path, 1, "haproxy")

    def iterdir(self: Path, real: Callable[[Path], Iterator[Path]] = Path.iterdir) -> Iterator[Path]:
        if self == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(UnavailableError, match="cannot be seen"):
        silence._of_haproxy([TO_SERVER, OTHERS], tmp_path)
