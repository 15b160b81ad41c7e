"""The web service does what its head says, so that tests may rely on it."""

from __future__ import annotations

import signal
import socket
import time
import urllib.error

import aiohttp
import pytest

from tests.lab.waiting import until
from tests.lab.web import Web

pytestmark = pytest.mark.system


def test_it_names_itself_and_fails_its_health_when_told() -> None:
    with Web("ann") as web:
        assert "host=ann " in web.get("/any")
        web.get("/fail?on")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            web.get("/health")
        web.get("/fail?off")
        assert web.get("/health")


async def test_posts_are_remembered_by_their_ids_each_time_they_arrive() -> None:
    with Web() as web:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{web.port}") as client:
            for number in ("1", "2", "2"):
                async with client.post("/", headers={"X-Id": number}) as answer:
                    assert answer.status == 200
        assert web.get("/seen").split() == ["1", "2", "2"]


async def test_a_websocket_echoes_and_a_stream_ends_complete() -> None:
    with Web("ann") as web:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{web.port}") as client:
            async with client.ws_connect("/ws") as ws:
                for text in ("hello", "x" * 3000):
                    await ws.send_str(text)
                    assert await ws.receive_str() == text
            async with client.get("/stream?3") as answer:
                assert (await answer.text()).count("host=ann") == 3


def test_on_sigterm_it_finishes_what_is_in_flight_and_refuses_the_rest() -> None:
    with Web() as web, socket.create_connection(("127.0.0.1", web.port)) as slow:
        slow.sendall(b"GET /slow?1000 HTTP/1.1\r\n\r\n")
        assert web.process
        time.sleep(0.2)  # the request is being answered now: it takes a second
        web.process.send_signal(signal.SIGTERM)
        until(lambda: refused(web.port), what="no new connections")
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        assert web.process.wait(10) == 0


def test_it_may_drain_or_ignore_sigterm() -> None:
    with Web("drains", DRAIN=1) as drains, Web("ignores", IGNORE=1) as ignores:
        assert drains.process
        assert ignores.process
        drains.process.send_signal(signal.SIGTERM)
        ignores.process.send_signal(signal.SIGTERM)
        assert "host=drains" in drains.get("/")
        assert drains.process.wait(10) == 0
        assert "host=ignores" in ignores.get("/")


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False
