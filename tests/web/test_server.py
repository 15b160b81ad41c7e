"""Sockets: their modes, their owners, and what happens when they cannot be had."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from longshore.web.server import SocketTaken, Web
from tests.web.fake_agent import FakeAgent


async def test_the_socket_is_for_its_owner_only_and_goes_with_the_server(tmp_path: Path) -> None:
    async with Web(FakeAgent(), tmp_path) as web:
        mode = web.path.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not web.path.exists()


async def test_a_socket_left_over_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "longshore.sock"))
    async with Web(FakeAgent(), tmp_path):
        pass


async def test_a_second_agent_does_not_take_the_socket_of_the_first(tmp_path: Path) -> None:
    async with Web(FakeAgent(), tmp_path) as first:
        with pytest.raises(SocketTaken, match="another longshore runs with this state directory"):
            async with Web(FakeAgent(), tmp_path):
                pass
        connector = aiohttp.UnixConnector(str(first.path))
        async with aiohttp.ClientSession(connector=connector) as client, client.get("http://first/healthz") as response:
            assert response.status == 200


async def test_a_file_in_the_socket_s_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "longshore.sock").write_text("mine")
    with pytest.raises(SocketTaken, match="Address already in use"):
        async with Web(FakeAgent(), tmp_path):
            pass
    assert (tmp_path / "longshore.sock").read_text() == "mine"


async def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(SocketTaken, match="choose a shorter state-dir"):
        async with Web(FakeAgent(), tmp_path / ("x" * 100)):
            pass
    with pytest.raises(SocketTaken, match="No such file or directory"):
        async with Web(FakeAgent(), tmp_path / "missing"):
            pass


@pytest.mark.parametrize("bind", [":{}", "0.0.0.0:{}", "[::]:{}"])
async def test_without_a_token_nothing_is_served_to_other_machines(
    tmp_path: Path, port: Callable[[], int], bind: str
) -> None:
    number = port()
    async with Web(FakeAgent(), tmp_path, bind=bind.format(number)) as web:
        assert "no token is set" in web.problems[0].what
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number)).close()


async def test_with_a_token_it_is(tmp_path: Path, port: Callable[[], int]) -> None:
    (tmp_path / "token").write_text("a")
    number = port()
    async with Web(FakeAgent(), tmp_path, bind=f":{number}", token_file=tmp_path / "token") as web:
        assert web.problems == ()
        socket.create_connection(("127.0.0.1", number)).close()


@pytest.mark.parametrize("token", [None, "", "two words", "ümlaut", "a\nb"])
async def test_a_token_file_of_no_use_closes_the_admin_address(
    tmp_path: Path, port: Callable[[], int], token: str | None
) -> None:
    """Never open to all because a file was empty."""
    if token is not None:
        (tmp_path / "token").write_text(token)
    number = port()
    async with Web(FakeAgent(), tmp_path, bind=f"127.0.0.1:{number}", token_file=tmp_path / "token") as web:
        assert "is of no use" in web.problems[0].what
        assert "token" in web.problems[0].what
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number)).close()
        assert web.path.exists()


async def test_a_busy_admin_address_is_taken_when_it_is_free(tmp_path: Path) -> None:
    """A longshore that takes another one's place waits for its end."""
    free = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Web(FakeAgent(), tmp_path, bind=f"127.0.0.1:{port}", changed=free.set) as web:
            assert len(web.problems) == 1
            taken.close()
            async with asyncio.timeout(30):
                await free.wait()
            assert not web.problems
            async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/healthz") as response:
                assert response.status == 200


async def test_beside_another_longshore_a_busy_admin_address_is_pending(tmp_path: Path) -> None:
    free = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        async with Web(FakeAgent(), tmp_path, bind=bind, changed=free.set, beside=True) as web:
            assert not web.problems
            (said,) = web.pending
            assert said.startswith(f"admin address {bind}: when ")
            assert said.endswith(f" (pid {os.getpid()}) has ended")
            taken.close()
            async with asyncio.timeout(30):
                await free.wait()
            assert not web.pending


async def test_a_busy_admin_address_is_a_problem_and_no_more(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with Web(FakeAgent(), tmp_path, bind=f"127.0.0.1:{taken.getsockname()[1]}") as web:
            assert web.problems[0].what == "cannot listen: Address already in use"
            assert "admin.bind" in web.problems[0].hint
            assert web.path.exists()
