"""The socket proxy between real sockets and an engine made for the test: what passes, what not, what it bears."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.agent.refusals import MOST, SPAN, Refusals
from longshore.agent.socket_proxy import Limits, SocketProxy
from longshore.agent.socket_proxy_place import PlaceError, become, listen
from longshore.clients.docker import DockerClient
from longshore.clients.docker_connect import parse_host, way_to
from longshore.clients.docker_faults import DockerError
from longshore.core.engine_filter import LONGEST_HEAD, Refusal
from tests.clients.fake_engine import FakeEngine, container_id, serving
from tests.lab import ports
from tests.lab.waiting import eventually

DEADLINE = 20  # seconds; only a defect takes that long
GET = b"GET /version HTTP/1.1\r\nHost: docker\r\n\r\n"


@contextlib.asynccontextmanager
async def offering(host: str, at: str, limits: Limits | None = None) -> AsyncIterator[SocketProxy]:
    stop = asyncio.Event()
    opened = listen(parse_host(at), 0o600)
    async with way_to(host, None, "ssh") as http:
        proxy = SocketProxy(http, host, limits)
        serve = asyncio.create_task(proxy.serve(opened, stop))
        try:
            async with asyncio.timeout(DEADLINE):
                yield proxy
        finally:
            stop.set()
            await serve
            opened.close()
    await eventually(lambda: proxy.open == 0)


@contextlib.asynccontextmanager
async def proxied(folder: Path, limits: Limits | None = None) -> AsyncIterator[tuple[FakeEngine, SocketProxy, str]]:
    """Give a fake engine, the proxy in front of it, and the proxy's socket."""
    engine = FakeEngine()
    at = f"unix://{folder}/p"
    async with serving(engine, folder / "e") as host, offering(host, at, limits) as proxy:
        yield engine, proxy, at


@contextlib.asynccontextmanager
async def talking(at: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(at.removeprefix("unix://"))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def say(at: str, *words: bytes) -> bytes:
    """Send all words on one connection and give what comes back until it is closed."""
    async with talking(at) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            for word in words:
                writer.write(word)
                await writer.drain()
        return await reader.read()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def message(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["message"])


async def test_our_own_client_works_through_it(tmp_path: Path) -> None:
    """Version, list, inspect, networks; and events arrive one by one while the stream is open."""
    async with proxied(tmp_path) as (engine, proxy, at), DockerClient(at) as client:
        one = engine.add("one", "172.18.0.2", labels={"big": "x" * 300_000})
        engine.networks["n1"] = "bridge"
        assert client.version.engine == "28.5.1"
        assert await client.containers() == [one]
        assert (await client.inspect(one) or {})["Config"]["Labels"] == {"big": "x" * 300_000}
        assert await client.inspect(container_id("nobody")) is None
        assert await client.networks() == {"n1": "bridge"}
        async with client.events(0) as events:
            await engine.watched.wait()
            for action in ("start", "die"):
                engine.emit(action, one)
                assert (await anext(events)).action == action
        await eventually(lambda: proxy.open == 1, what="the stream ended; the kept connection is left")
        assert engine.methods == {"GET"}
        assert proxy.refusals.count == 0


async def test_a_kept_connection_serves_request_after_request_also_those_sent_ahead(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (engine, _, at):
        answer = await say(at, GET + GET, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert engine.asked == ["/version"] * 3


async def test_the_ping_by_head_has_no_body(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (_, _, at):
        answer = await say(at, b"HEAD /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n")


async def test_nothing_that_a_client_wrote_reaches_the_engine(tmp_path: Path) -> None:
    """Headers stay behind, and what follows a refused request on its connection is never read as one."""
    smuggled = b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 40\r\n\r\n" + GET
    chunked = b"GET /version HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
    upgrade = b"GET /version HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + GET
    connect = b"CONNECT docker:80 HTTP/1.1\r\nHost: d\r\n\r\n" + GET
    absolute = b"GET http://docker/version HTTP/1.1\r\nHost: d\r\n\r\n" + GET
    async with proxied(tmp_path) as (engine, proxy, at):
        answers = [await say(at, words) for words in (smuggled, chunked, upgrade, connect, absolute)]
        assert [status(answer) for answer in answers] == [403, 400, 403, 403, 400]
        assert all(message(answer).startswith("longshore socket-proxy: ") for answer in answers)
        assert engine.asked == []
        assert proxy.refusals.count == 5


async def test_the_words_of_a_refusal_arrive_although_the_client_is_still_sending(tmp_path: Path) -> None:
    create = b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 9000000\r\n\r\n"
    async with proxied(tmp_path) as (engine, _, at):
        assert "only reads" in message(await say(at, create, *([b"x" * 100_000] * 90)))
        assert engine.asked == []


@pytest.mark.parametrize("start", [b"GET /" + b"x" * 70_000, b"GET /version HTTP/1.1\r\n" + b"X: y\r\n" * 20_000])
async def test_a_head_without_an_end_is_refused(tmp_path: Path, start: bytes) -> None:
    async with proxied(tmp_path) as (engine, _, at):
        answer = await say(at, start)
        assert (status(answer), str(LONGEST_HEAD) in message(answer)) == (431, True)
        assert engine.asked == []


async def test_slow_and_silent_clients_are_let_go(tmp_path: Path) -> None:
    """Half a head, nothing at all, a connection that asks no more: each ends, and others are served meanwhile."""
    limits = Limits(head=0.2, idle=0.2, linger=0.1)
    async with proxied(tmp_path, limits) as (_, proxy, at):
        half, silent, done = await asyncio.gather(say(at, GET[:10]), say(at), say(at, GET))
        assert status(half) == 408
        assert silent == b""
        assert status(done) == 200
        await eventually(lambda: proxy.open == 0)


async def test_a_client_that_does_not_take_its_answer_is_let_go(tmp_path: Path) -> None:
    async with proxied(tmp_path, Limits(send=0.2)) as (engine, proxy, at):
        one = engine.add("one", labels={"big": "x" * 4_000_000})
        async with talking(at) as (_, writer):
            writer.write(f"GET /v1.41/containers/{one}/json HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            await eventually(lambda: len(engine.asked) == 1)
            await eventually(lambda: proxy.open == 0, what="it is let go")


async def test_too_many_connections_are_refused_and_those_that_are_there_go_on(tmp_path: Path) -> None:
    async with proxied(tmp_path, Limits(connections=3, linger=0.1)) as (engine, proxy, at):
        one = engine.add("one")
        async with DockerClient(at) as client, client.events(0) as events, talking(at), talking(at):
            await eventually(lambda: proxy.open >= 3)
            assert status(await say(at, GET)) == 503
            engine.emit("start", one)
            assert (await anext(events)).action == "start"
        await eventually(lambda: proxy.open == 0)
        assert status(await say(at, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == 200


async def test_an_engine_that_is_away_is_said_and_works_again_when_it_is_back(tmp_path: Path) -> None:
    at = f"unix://{tmp_path}/p"
    async with offering(f"unix://{tmp_path}/e", at):
        answer = await say(at, GET)
        assert status(answer) == 502
        assert "does not exist" in message(answer)
        with pytest.raises(DockerError, match="does not exist"):
            async with DockerClient(at):
                pass
        async with serving(FakeEngine(), tmp_path / "e"), DockerClient(at) as client:
            assert client.version.engine == "28.5.1"
        assert status(await say(at, GET)) == 502


async def test_an_engine_that_never_answers_is_said(tmp_path: Path) -> None:
    async with proxied(tmp_path, Limits(answer=0.2)) as (engine, _, at):
        engine.hold["/version"] = asyncio.Event()
        answer = await say(at, GET)
        engine.hold["/version"].set()
        assert (status(answer), "in time" in message(answer)) == (504, True)


async def test_an_answer_that_breaks_off_is_no_whole_answer(tmp_path: Path) -> None:
    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(engine, tmp_path / "e")
    async with server, offering(f"unix://{tmp_path}/e", f"unix://{tmp_path}/p"):
        answer = await say(f"unix://{tmp_path}/p", GET)
        assert answer.endswith(b"3\r\nabc\r\n")


async def test_when_a_client_goes_its_question_ends(tmp_path: Path) -> None:
    """A wedged engine is not left with questions that nobody waits for."""
    async with proxied(tmp_path) as (engine, proxy, at):
        engine.hold["/version"] = asyncio.Event()
        async with talking(at) as (_, writer):
            writer.write(GET)
            await eventually(lambda: engine.asked == ["/version"])
        await eventually(lambda: proxy.open == 0)
        engine.hold["/version"].set()


async def test_over_tcp_only_names_of_this_machine_are_answered(tmp_path: Path) -> None:
    port = ports.free()
    async with serving(FakeEngine(), tmp_path / "e") as host, offering(host, f"tcp://127.0.0.1:{port}"):
        async with DockerClient(f"tcp://127.0.0.1:{port}") as client:
            assert client.version.engine == "28.5.1"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"docker", b"evil.example"))
        assert status(await reader.read()) == 403
        writer.close()


def test_a_socket_that_was_left_over_is_replaced_and_no_other_thing_is(tmp_path: Path) -> None:
    where = parse_host(f"unix://{tmp_path}/p")
    first = listen(where, 0o660)
    assert oct(Path(where.path).stat().st_mode & 0o777) == "0o660"
    with pytest.raises(PlaceError, match="in use"):
        listen(where, 0o660)
    first.close()
    listen(where, 0o666).close()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(PlaceError, match="no socket"):
        listen(parse_host(f"unix://{tmp_path}/file"), 0o660)
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    ("at", "said"), [("/nowhere/p", "cannot open"), (f"/{'x' * 200}", "too long"), ("/", "no socket")]
)
def test_a_place_that_is_of_no_use_is_said(at: str, said: str) -> None:
    with pytest.raises(PlaceError, match=said):
        listen(parse_host(f"unix://{at}"), 0o660)


def test_who_is_not_root_cannot_become_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PlaceError, match="only root"):
        become("nobody", parse_host("unix:///var/run/docker.sock"))


def test_an_unknown_user_and_an_engine_that_is_away_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PlaceError, match="no user"):
        become("no-such-user", parse_host("unix:///x"))
    with pytest.raises(PlaceError, match="No such file"):
        become("nobody", parse_host(f"unix://{tmp_path}/none"))


def test_a_flood_of_refusals_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log:
        def warning(self, what: str, **words: object) -> None:
            said.append((what, words.get("count")))

    said: list[tuple[str, object]] = []
    monkeypatch.setattr("longshore.agent.refusals.log", Log())
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    for number in range(MOST + 50):
        refusals.tell(Refusal(403, "no", f"POST /{number}"), "uid 1")
    now[0] = SPAN + 1
    refusals.tell(Refusal(403, "no", "POST /last"), "uid 1")
    many = ("refused more than can be told one by one", 50)
    assert said == [("refused", None)] * MOST + [many, ("refused", None)]
    assert refusals.count == MOST + 51
