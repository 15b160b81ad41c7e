"""A served API with a fake agent behind it, and clients for both ways in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from longshore.web.server import Web
from tests.web.fake_agent import FakeAgent


@dataclass
class Served:
    """A running API."""

    agent: FakeAgent
    web: Web
    port: int
    socket: aiohttp.ClientSession
    tcp: aiohttp.ClientSession


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
async def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
async def served(agent: FakeAgent, tmp_path: Path) -> AsyncIterator[Served]:
    async for each in serve(agent, tmp_path, None):
        yield each


@pytest.fixture
async def served_with_token(agent: FakeAgent, tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "token").write_text("s3cret\n")
    async for each in serve(agent, tmp_path, tmp_path / "token"):
        yield each


async def serve(agent: FakeAgent, folder: Path, token_file: Path | None) -> AsyncIterator[Served]:
    port = free_port()
    async with Web(agent, folder, bind=f"127.0.0.1:{port}", token_file=token_file) as web:
        assert web.problems == ()
        async with (
            aiohttp.ClientSession("http://longshore", connector=aiohttp.UnixConnector(str(web.path))) as socket,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as tcp,
        ):
            yield Served(agent, web, port, socket, tcp)


@pytest.fixture
def port() -> Callable[[], int]:
    return free_port
