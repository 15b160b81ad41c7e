"""The prober: who is probed, admitted, forgotten. Against real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from longshore.agent.first_check import Target
from longshore.agent.prober import Prober, patience, pause
from longshore.core.model import Check
from tests.agent.serving import DEADLINE, http, serving, silent


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections: bound by us, so that nobody else takes it, and not listened on."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


class Watch:
    """Collects what a prober admits, and waits for it."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._news = asyncio.Event()
        self.prober = Prober(self._admitted)

    def _admitted(self, key: str) -> None:
        assert key in self.prober.admitted
        self.keys.append(key)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.01)
                self._news.clear()


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    watch = Watch()
    yield watch
    await watch.prober.close()


async def test_what_takes_a_connection_at_once_is_admitted_at_once_and_without_a_call(watch: Watch) -> None:
    async with serving(silent) as port:
        watch.prober.want({"web": Target("127.0.0.1", port)})
        assert "web" in watch.prober.admitted  # the event loop did not get a turn since
    assert watch.keys == []
    assert watch.prober.idle()
    assert watch.prober.waiting == {}


@pytest.mark.parametrize(
    "more",
    [{"check": Check(kind="http")}, {"server_tls": "insecure"}, {"proxied": True}],
    ids=["http", "tls", "proxied"],
)
async def test_where_more_is_asked_than_a_connection_nothing_is_admitted_by_it(
    watch: Watch, more: dict[str, Any]
) -> None:
    async with serving(silent) as port:
        watch.prober.want({"web": Target("127.0.0.1", port, **more)})
        assert watch.prober.admitted == {}


async def test_what_answers_later_is_admitted_with_a_call(watch: Watch) -> None:
    async with serving(http("HTTP/1.1 200 OK")) as port:
        watch.prober.want({"web": Target("127.0.0.1", port, Check(kind="http"))})
        await watch.until(lambda: watch.keys == ["web"])
    assert watch.prober.idle()
    assert watch.prober.waiting == {}


async def test_a_connection_is_under_way_before_want_returns(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch.prober.want({"web": Target("127.0.0.1", server.getsockname()[1])})
        server.settimeout(DEADLINE)
        connection, _ = server.accept()  # the event loop did not get a turn since
        connection.close()


async def test_what_does_not_listen_waits_with_its_reason_until_it_does(watch: Watch, closed_port: int) -> None:
    watch.prober.want({"web": Target("127.0.0.1", closed_port)})
    await watch.until(lambda: watch.prober.waiting["web"].attempts > 3)
    assert watch.prober.waiting["web"].reason == "connection refused"
    assert watch.keys == []
    with socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        late.bind(("127.0.0.1", closed_port))
        late.listen()
        await watch.until(lambda: watch.keys == ["web"])


async def test_a_target_without_check_is_admitted_at_once_and_without_a_call(watch: Watch) -> None:
    watch.prober.want({"web": Target("127.0.0.1", 1, Check(kind="none"))})
    assert "web" in watch.prober.admitted
    assert watch.keys == []


async def test_who_is_not_wanted_any_more_is_forgotten_and_proves_itself_again(watch: Watch) -> None:
    async with serving(http("HTTP/1.1 200 OK")) as port:
        target = Target("127.0.0.1", port, Check(kind="http"))
        watch.prober.want({"web": target})
        await watch.until(lambda: watch.keys == ["web"])
        watch.prober.want({"web": target})
        assert "web" in watch.prober.admitted
        watch.prober.want({})
        assert "web" not in watch.prober.admitted
        watch.prober.want({"web": target})
        assert "web" not in watch.prober.admitted
        await watch.until(lambda: watch.keys == ["web", "web"])


async def test_a_changed_target_proves_itself_again(watch: Watch, closed_port: int) -> None:
    async with serving(silent) as port:
        watch.prober.want({"web": Target("127.0.0.1", port)})
        assert "web" in watch.prober.admitted
        watch.prober.want({"web": Target("127.0.0.1", closed_port)})
        assert watch.prober.admitted == {}
        await watch.until(lambda: watch.prober.waiting["web"].attempts > 0)
    assert watch.prober.admitted == {}


async def test_thousands_that_never_answer_do_not_keep_a_newcomer_waiting(watch: Watch, closed_port: int) -> None:
    lost = {f"lost-{number}": Target("127.0.0.1", closed_port) for number in range(2000)}
    watch.prober.want(lost)
    async with serving(silent) as port:
        watch.prober.want({**lost, "web": Target("127.0.0.1", port)})
        await watch.until(lambda: "web" in watch.prober.admitted)
    assert len(watch.prober.waiting) == 2000


async def test_closing_leaves_no_connection_behind() -> None:
    """An unclosed socket would be a ResourceWarning, and that an error here."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    watch = Watch()
    async with serving(answer) as port:
        watch.prober.want({"web": Target("127.0.0.1", port, Check(kind="http"))})
        await watch.prober.close()
        async with asyncio.timeout(DEADLINE):
            await gone.wait()
    watch.prober.want({"web": Target("127.0.0.1", 1)})
    await watch.prober.close()


async def test_ipv6_endpoints_are_reached(watch: Watch) -> None:
    async with serving(silent, "::1") as port:
        watch.prober.want({"web": Target("::1", port)})
        await watch.until(lambda: "web" in watch.prober.admitted)


def test_attempts_are_quick_at_first_and_patient_later() -> None:
    assert [pause(elapsed) for elapsed in (0, 0.005, 0.1, 5, 29, 31)] == [0.002, 0.002, 0.02, 0.25, 0.25, 1.0]
    assert [patience(elapsed) for elapsed in (0, 0.1, 4)] == [0.1, 0.1, 2]
