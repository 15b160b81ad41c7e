"""The client of ZooKeeper where no server is needed: what cannot be used or reached, said in words for people."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshore.clients.zookeeper import ZooKeeper
from longshore.clients.zookeeper_connect import session_of
from longshore.clients.zookeeper_faults import ZooKeeperError
from longshore.clients.zookeeper_inbox import Inbox
from longshore.config.registries import ZookeeperSource
from tests.lab import ports
from tests.lab.waiting import eventually


@asynccontextmanager
async def server(*, hangs_up: bool) -> AsyncIterator[str]:
    """Something that accepts connections, and hangs up or says nothing."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not hangs_up:
                await asyncio.sleep(60)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def fault_of(*hosts: str, session: float = 5.0) -> ZooKeeperError:
    """The fault of a first connection."""
    with pytest.raises(ZooKeeperError) as caught:
        async with ZooKeeper(hosts, session=session):
            pass
    return caught.value


async def test_servers_that_cannot_be_reached_are_told_one_by_one() -> None:
    """Also: nothing is left of the attempt, no thread and no socket."""
    before = set(threading.enumerate())
    port = ports.free()
    async with server(hangs_up=True) as up:
        fault = await fault_of(f"127.0.0.1:{port}", up, "no-such-host.invalid:2181")
    assert f"127.0.0.1:{port} connection refused" in fault.what
    assert f"{up} accepts the connection but does not serve" in fault.what
    assert "no-such-host.invalid:2181 was not tried (does its name resolve?)" in fault.what
    assert "has the ensemble lost its quorum?" in fault.hint
    await eventually(lambda: not set(threading.enumerate()) - before)


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async with server(hangs_up=False) as silent:
        fault = await fault_of(silent)
    assert f"{silent} accepts the connection but does not serve" in fault.what


async def test_nothing_is_asked_of_a_session_that_is_over() -> None:
    zookeeper = ZooKeeper([f"127.0.0.1:{ports.free()}"])
    await zookeeper.close()
    with pytest.raises(ZooKeeperError, match="ended: we closed it"):
        await zookeeper.get("/x")
    with pytest.raises(ZooKeeperError, match="ended: we closed it"):
        await zookeeper.changed()


async def test_an_attempt_that_is_cancelled_leaves_nothing() -> None:
    before = set(threading.enumerate())
    async with server(hangs_up=False) as silent:
        zookeeper = ZooKeeper([silent], session=30)
        task = asyncio.create_task(zookeeper.__aenter__())
        await eventually(lambda: set(threading.enumerate()) - before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await eventually(lambda: not set(threading.enumerate()) - before)


def test_without_kazoo_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kazoo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "longshore.clients.zookeeper_kazoo", raising=False)
    monkeypatch.setitem(sys.modules, "kazoo", None)  # as if it could not be found
    with pytest.raises(ZooKeeperError) as caught:
        ZooKeeper(["127.0.0.1:2181"])
    assert caught.value.hint == "pip install longshore[zookeeper]"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "is not text"),
        (b"", "does not say user:password"),
        (b"shop\n", "does not say user:password"),
        (b"shop:\n", "does not say user:password"),
        (b"shop:secret\nother:secret\n", "does not say user:password"),
    ],
)
async def test_an_auth_file_that_is_of_no_use(tmp_path: Path, written: bytes | None, said: str) -> None:
    path = tmp_path / "auth"
    if written is not None:
        path.write_bytes(written)
    settings = ZookeeperSource.model_validate({"auth-file": str(path)})
    with pytest.raises(ZooKeeperError) as caught:
        session_of(settings, 10)
    assert str(path) in caught.value.what
    assert said in caught.value.what
    assert caught.value.hint


async def test_certificates_that_are_of_no_use(tmp_path: Path) -> None:
    settings = ZookeeperSource.model_validate({"tls": {"ca": str(tmp_path / "ca.pem")}})
    with pytest.raises(ZooKeeperError, match=r"ca\.pem: No such file"):
        session_of(settings, 10)


async def test_what_threads_drop_arrives_in_their_order() -> None:
    inbox, got = Inbox(), list[int]()

    def drop() -> None:
        for number in range(5000):
            inbox.put(lambda number=number: got.append(number))  # type: ignore[misc]

    thread = threading.Thread(target=drop)
    thread.start()
    await eventually(lambda: len(got) == 5000)
    thread.join()
    assert got == list(range(5000))


def test_an_inbox_whose_loop_has_ended_takes_everything_and_does_nothing() -> None:
    async def make() -> Inbox:
        return Inbox()

    inbox = asyncio.run(make())
    inbox.put(lambda: pytest.fail("nobody asks any more"))
