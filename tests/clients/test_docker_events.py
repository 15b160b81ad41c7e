"""The event stream: gapless, one event a line however long, and an end that is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.clients.docker import DockerClient
from longshore.clients.docker_events import Event, parse
from longshore.clients.docker_faults import DockerError
from tests.clients.fake_engine import FakeEngine, serving

ID = "a" * 64


def line(**fields: object) -> bytes:
    document = {
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": ID, "Attributes": {"name": "web", "image": "w"}},
        "time": 1795272529,
        "timeNano": 1795272529600616601,
    }
    return json.dumps(document | fields).encode() + b"\n"


def test_a_container_event_carries_name_and_time() -> None:
    assert parse(line()) == Event(ID, "container", "start", "web", "", 1795272529600616601)
    event = parse(line())
    assert event is not None
    assert event.time == pytest.approx(1795272529.6006)


def test_a_kill_carries_its_signal() -> None:
    event = parse(line(Action="kill", Actor={"ID": ID, "Attributes": {"signal": "15"}}))
    assert event is not None
    assert (event.action, event.signal) == ("kill", "15")


def test_a_health_event_loses_its_suffix() -> None:
    """The state itself comes from the inspect that follows."""
    event = parse(line(Action="health_status: healthy"))
    assert event is not None
    assert event.action == "health_status"


def test_a_network_event_is_about_its_container() -> None:
    actor = {"ID": "n" * 64, "Attributes": {"container": ID, "name": "shop", "type": "bridge"}}
    assert parse(line(Type="network", Action="connect", Actor=actor)) == Event(
        ID, "network", "connect", nanos=1795272529600616601, network="n" * 64, driver="bridge"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"Type": "network", "Action": "destroy"},
        {"Type": "network", "Action": "connect", "Actor": {"ID": "n" * 64}},
        {"Action": "exec_start: /bin/sh -c true"},
        {"Type": "image", "Action": "pull"},
    ],
)
def test_what_is_not_about_a_container_is_left_out(fields: dict[str, object]) -> None:
    assert parse(line(**fields)) is None


@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b'{"Type": "container", "Action": "start"}', b'"x"'])
def test_what_is_no_event_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"event|Expecting"):
        parse(text)


async def test_what_happens_between_the_answer_and_the_subscription_is_not_missed(tmp_path: Path) -> None:
    """The engine answers before it has subscribed us: the replay from `since` on closes the gap."""
    engine = FakeEngine(before_subscribing=asyncio.Event())
    async with subscribed(engine, tmp_path, time.time() - 1) as events:
        identity = engine.start("web")
        assert engine.before_subscribing is not None
        engine.before_subscribing.set()
        event = await soon(events)
        assert (event.container, event.action) == (identity, "start")


async def test_what_happened_before_since_is_not_told_again(tmp_path: Path) -> None:
    engine = FakeEngine()
    identity = engine.add("web")
    engine.emit("start", identity, at=1000.0)
    engine.emit("pause", identity, at=2000.25)
    async with subscribed(engine, tmp_path, 2000.25) as events:
        assert (await soon(events)).action == "pause"


async def test_a_line_of_megabytes_is_one_event(tmp_path: Path) -> None:
    """All labels of a container are in its events; aiohttp's own limit would break the stream at 512 KiB."""
    engine = FakeEngine()
    identity = engine.add("web")
    async with subscribed(engine, tmp_path, time.time()) as events:
        engine.emit("start", identity, label="x" * 4_000_000)
        assert (await soon(events)).container == identity
        engine.emit("pause", identity)
        assert (await soon(events)).action == "pause"


async def test_only_what_can_change_an_address_or_a_state_is_asked_for(tmp_path: Path) -> None:
    """A HEALTHCHECK makes three exec events each time it runs."""
    engine = FakeEngine()
    identity = engine.add("web")
    async with subscribed(engine, tmp_path, time.time()) as events:
        engine.emit("exec_create: true", identity)
        engine.emit("health_status: healthy", identity)
        engine.emit("connect", identity, kind="network")
        assert (await soon(events)).action == "health_status"
        assert (await soon(events)).action == "connect"


async def test_the_iterator_ends_when_the_engine_ends_the_stream(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with subscribed(engine, tmp_path, time.time()) as events:
        await engine.watched.wait()
        engine.break_streams()
        assert [event async for event in events] == []


async def test_garbage_in_the_stream_is_a_fault(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /version"):
            body = b'{"ApiVersion": "1.41"}'
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nwhat?\n")
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_unix_server(answer, tmp_path / "s"),
        DockerClient(f"unix://{tmp_path}/s") as client,
        client.events(0) as events,
    ):
        with pytest.raises(DockerError):
            await soon(events)


async def test_a_proxy_that_refuses_events_is_a_fault(tmp_path: Path) -> None:
    engine = FakeEngine(refuse={"/events": (403, "denied")})
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        with pytest.raises(DockerError, match="/events with 403 denied"):
            async with client.events(0):
                pass


@contextlib.asynccontextmanager
async def subscribed(engine: FakeEngine, folder: Path, since: float) -> AsyncIterator[AsyncIterator[Event]]:
    async with (
        serving(engine, folder / "s") as host,
        DockerClient(host) as client,
        client.events(since) as events,
    ):
        yield events


async def soon(events: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(20):
        return await anext(events)
