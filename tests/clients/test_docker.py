"""The Docker Engine client against an engine in this process: versions, listing, inspecting, failures for people."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from aiohttp import web

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from tests.clients.fake_engine import FakeEngine, container_id, serving


@pytest.mark.parametrize(
    ("api", "min_api", "agreed"),
    [("1.41", "1.12", (1, 41)), ("1.51", "1.24", (1, 51)), ("1.53", "1.44", (1, 51)), ("1.44", "1.44", (1, 44))],
)
async def test_the_newest_version_both_sides_speak_is_used(
    tmp_path: Path, api: str, min_api: str, agreed: tuple[int, int]
) -> None:
    engine = FakeEngine(api=api, min_api=min_api)
    engine.add("web")
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        assert client.version.api == agreed
        assert await client.containers() == [container_id("web")]
        assert repr(client) == f"<DockerClient {host} API {agreed[0]}.{agreed[1]}>"
    assert engine.asked[-1] == f"/v{agreed[0]}.{agreed[1]}/containers/json"


@pytest.mark.parametrize(
    ("api", "min_api", "said"),
    [
        ("1.40", "1.12", "is too old: it speaks API 1.40, longshore needs 1.41 or newer"),
        ("1.60", "1.52", "is too new: it needs API 1.52 or newer, longshore speaks 1.51"),
    ],
)
async def test_no_common_version_is_said_with_both_sides(tmp_path: Path, api: str, min_api: str, said: str) -> None:
    async with serving(FakeEngine(api=api, min_api=min_api), tmp_path / "s") as host:
        fault = await failure(DockerClient(host))
    assert said in fault.what
    assert "update" in fault.hint


async def test_the_engine_tells_its_clock(tmp_path: Path) -> None:
    async with serving(FakeEngine(), tmp_path / "s") as host, DockerClient(host) as client:
        assert abs(client.version.date - time.time()) < 60


async def test_listed_are_only_containers_that_live(tmp_path: Path) -> None:
    engine = FakeEngine()
    names = ("running", "paused", "restarting", "exited", "created", "dead")
    for name in names:
        engine.state(engine.add(name), Status=name)
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        assert await client.containers() == [container_id(name) for name in names[:3]]


async def test_inspect_of_a_container_that_is_gone_is_none(tmp_path: Path) -> None:
    engine = FakeEngine()
    here = engine.add("web")
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        doc = await client.inspect(here)
        assert doc is not None
        assert doc["Name"] == "/web"
        assert await client.inspect("f" * 64) is None


async def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    """A new connection for each inspect would cost more than the inspect."""
    engine, peers = FakeEngine(), set()
    app = engine.application()

    async def note(request: web.Request, _: web.StreamResponse) -> None:
        peers.add(request.transport)

    app.on_response_prepare.append(note)
    identity = engine.add("web")
    async with serving(app, tmp_path / "s") as host, DockerClient(host) as client:
        for _ in range(5):
            await client.inspect(identity)
    assert len(peers) == 1


async def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    fault = await failure(DockerClient(f"unix://{tmp_path}/none.sock"))
    assert fault.what == f"no Docker Engine at unix://{tmp_path}/none.sock: the socket does not exist"
    assert "start the engine" in fault.hint


async def test_a_socket_that_nobody_listens_on_is_told_apart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "s"))
    fault = await failure(DockerClient(f"unix://{tmp_path}/s"))
    assert "left over" in fault.what


async def test_a_socket_without_permission_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open everything, so the kernel's refusal is played by the event loop."""

    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", refuse)
    fault = await failure(DockerClient(f"unix://{tmp_path}/s"))
    assert fault.what == f"unix://{tmp_path}/s: permission denied"
    assert "docker" in fault.hint


async def test_a_refused_tcp_connection_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fault = await failure(DockerClient(f"tcp://127.0.0.1:{taken.getsockname()[1]}"))
    assert "refuses connections" in fault.what


async def test_a_name_that_does_not_resolve_is_said() -> None:
    fault = await failure(DockerClient("tcp://nowhere.invalid:2375"))
    assert "the name does not resolve" in fault.what


@pytest.mark.parametrize("body", ["<html>It works!</html>", "[]", "{}", '{"ApiVersion": "new"}', '{"ApiVersion": 1}'])
async def test_something_else_than_an_engine_is_recognised(tmp_path: Path, body: str) -> None:
    async with serving(answering(200, body), tmp_path / "s") as host:
        fault = await failure(DockerClient(host))
    assert "is not a Docker Engine" in fault.what
    assert body in fault.what


async def test_something_that_speaks_no_http_is_a_fault(tmp_path: Path) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    async with server:
        fault = await failure(DockerClient(f"unix://{tmp_path}/s"))
    assert "does not speak HTTP" in fault.what


async def test_a_proxy_that_refuses_is_recognised_with_what_it_must_allow(tmp_path: Path) -> None:
    engine = FakeEngine(refuse={"/containers/json": (403, "denied by rule")})
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        with pytest.raises(DockerError) as caught:
            await client.containers()
    assert "answers GET /v1.51/containers/json with 403 denied by rule" in caught.value.what
    assert "must allow GET on /version" in caught.value.hint
    assert caught.value.status == 403


async def test_a_refused_ping_is_a_sign_of_life(tmp_path: Path) -> None:
    engine = FakeEngine(refuse={"/_ping": (403, "denied by rule")})
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        await client.ping()


async def test_a_tls_port_asked_without_tls_is_recognised(tmp_path: Path) -> None:
    """The words are those of Go's net/http, which every engine uses."""
    async with serving(answering(400, "Client sent an HTTP request to an HTTPS server.\n"), tmp_path / "s") as host:
        fault = await failure(DockerClient(host))
    assert "wants TLS" in fault.what


async def test_an_engine_that_hangs_is_given_up(tmp_path: Path) -> None:
    engine = FakeEngine(hold={"/version": asyncio.Event()})
    async with serving(engine, tmp_path / "s") as host:
        fault = await failure(DockerClient(host, timeout=0.1))
    assert "does not answer in time" in fault.what


@pytest.mark.parametrize(
    "host",
    [
        "",
        "docker.sock",
        "unix://relative",
        "http://host:1",
        "tcp://",
        "tcp://h:port",
        "ssh://",
        "ssh://-oProxyCommand=x/",
        "ssh://u@-x",
        "tcp://a b:1",
        "ssh://user:secret@host",
    ],
)
async def test_an_address_that_cannot_be_one_is_refused(host: str) -> None:
    fault = await failure(DockerClient(host))
    assert "is no address of a Docker Engine" in fault.what
    assert "tcp://HOST:PORT" in fault.hint


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("unix:///var/run/docker.sock", ""),
        ("tcp://127.0.0.1:2375", ""),
        ("tcp://[::1]:2375", ""),
        ("tcp://localhost:2375", ""),
        ("tcp://192.0.2.7:2375", "192.0.2.7"),
        ("tcp://[2001:db8::7]:2375", "2001:db8::7"),
    ],
)
async def test_the_machine_of_an_engine_is_told_unless_it_is_this_one(host: str, address: str) -> None:
    assert await DockerClient(host).address() == address


async def test_an_address_of_this_machine_that_is_not_loopback_is_ours_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        try:
            out.connect(("192.0.2.1", 9))  # sends nothing: it only chooses a way
        except OSError:
            return  # no way out at all: this machine has no such address
        assert await DockerClient(f"tcp://{out.getsockname()[0]}:2375").address() == ""


async def failure(client: DockerClient) -> DockerError:
    """Give the fault that entering the client raises."""
    with pytest.raises(DockerError) as caught:
        async with client:
            pass
    return caught.value


def answering(status: int, body: str) -> web.Application:
    """Give a server that answers everything the same way."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app


async def test_what_may_only_be_read_says_so_when_something_is_to_be_done(tmp_path: Path) -> None:
    engine = FakeEngine(refuse={"/kill": (403, "denied by rule"), "/exec": (409, "container is paused")})
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        with pytest.raises(DockerError) as caught:
            await client.post("/containers/abc/kill?signal=TERM")
        assert "answers POST /v1.51/containers/abc/kill?signal=TERM with 403 denied by rule" in caught.value.what
        assert "allow this POST" in caught.value.hint
        with pytest.raises(DockerError) as caught:
            await client.post("/containers/abc/exec", {"Cmd": ["true"]})
        assert (caught.value.status, caught.value.hint) == (409, "")
