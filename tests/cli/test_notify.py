"""What systemd is told, on a socket as systemd makes it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.cli.notify import Notify


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def test_ready_reload_and_stop_are_told(systemd: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": systemd.getsockname()})
    notify.ready()
    with notify.reloading():
        pass
    notify.stopping()
    said = [systemd.recv(999).decode() for _ in range(4)]
    assert [each.partition("\n")[0] for each in said] == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert said[1].partition("\nMONOTONIC_USEC=")[2].isdigit()


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0longshore-test-{os.getpid()}")
        listening.settimeout(10)
        Notify({"NOTIFY_SOCKET": f"@longshore-test-{os.getpid()}"}).ready()
        assert listening.recv(999) == b"READY=1"


async def test_the_watchdog_gets_signs_of_life_while_the_loop_turns(systemd: socket.socket) -> None:
    notify = Notify(
        {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())}
    )
    alive = asyncio.create_task(notify.keep_alive())
    for _ in range(3):
        assert await asyncio.to_thread(systemd.recv, 999) == b"WATCHDOG=1"
    alive.cancel()
    await asyncio.gather(alive, return_exceptions=True)


@pytest.mark.parametrize(
    "asked", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}]
)
async def test_without_a_watchdog_of_ours_there_is_nothing_to_do(asked: dict[str, str]) -> None:
    await asyncio.wait_for(Notify(asked).keep_alive(), 10)


def test_nobody_who_listens_is_no_trouble(tmp_path: Path) -> None:
    Notify({}).ready()
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
