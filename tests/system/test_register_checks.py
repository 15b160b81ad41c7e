"""The registrar's checks against the real things: Redis, a gRPC server, containers of an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from longshore.agent.register_checks import CheckTarget, Verdict, check
from longshore.clients.docker import DockerClient
from longshore.core.register_check import register_check
from longshore.core.registration import Login
from tests.lab import shell
from tests.lab.authority import Authority
from tests.lab.container import Container
from tests.lab.engine import BARE, Engine
from tests.lab.grpc_peer import GrpcServer
from tests.lab.rabbitmq import RabbitMQ
from tests.lab.redis import Redis
from tests.lab.socket_proxy import SocketProxy
from tests.lab.waiting import GENEROUS, eventually, until

pytestmark = pytest.mark.system
GOOD = Verdict(ok=True)


async def verdict(words: str, port: int, **more: object) -> Verdict:
    target = CheckTarget(**({"address": "127.0.0.1", "port": port} | more))  # type: ignore[arg-type]
    return await check(register_check(words), target, GENEROUS)


async def test_a_real_redis() -> None:
    with Redis() as redis:
        assert await verdict("redis", redis.port) == GOOD
        assert not (await verdict("grpc", redis.port)).ok
    assert (await verdict("redis", redis.port)).why == "connection refused"


async def test_a_real_redis_with_a_password_is_alive() -> None:
    with Redis("--requirepass", "secret") as redis:
        assert await verdict("redis", redis.port) == Verdict(True, "alive; it wants a password before it says more")


@pytest.mark.parametrize("words", [pytest.param("redis:nerve-redis-service-check", id="A3 checks redis: EXISTS")])
async def test_a_real_redis_is_asked_for_a_key_too(words: str) -> None:
    with Redis() as redis:
        assert await verdict(words, redis.port) == GOOD
        redis.say("CONFIG SET maxmemory 1")  # it answers questions all the same
        assert await verdict(words, redis.port) == GOOD
    with Redis("--requirepass", "secret") as redis:
        assert (await verdict(words, redis.port)).why == "alive; it wants a password before it says more"


@pytest.mark.parametrize("login", [pytest.param(Login("guest", "guest"), id="A3 checks rabbitmq: username, password")])
async def test_a_real_rabbitmq(login: Login) -> None:
    """A message goes in and comes out, as often as it is asked; who may not log in is told so."""
    with RabbitMQ() as rabbit:
        assert [await verdict("rabbitmq", rabbit.port, login=login) for _ in range(5)] == [GOOD] * 5
        assert await verdict("rabbitmq", rabbit.port) == GOOD
        refused = await verdict("rabbitmq", rabbit.port, login=replace(login, password="wrong"))
        assert refused.why.startswith("the login is refused: 403 ACCESS_REFUSED")
        assert not (await verdict("redis", rabbit.port)).ok
        assert await verdict("tcp", rabbit.port) == GOOD
    assert (await verdict("rabbitmq", rabbit.port)).why == "connection refused"


async def test_a_real_grpc_server() -> None:
    with GrpcServer({"": "SERVING", "shop.Cart": "NOT_SERVING"}) as server:
        assert await verdict("grpc", server.port) == GOOD
        assert (await verdict("grpc:shop.Cart", server.port)).why == "the service 'shop.Cart' is NOT_SERVING"
        assert "does not know the service 'shop.Till'" in (await verdict("grpc:shop.Till", server.port)).why
        assert not (await verdict("redis", server.port)).ok
        assert not (await verdict("/", server.port)).ok
    with GrpcServer({}) as server:
        assert "has no health service" in (await verdict("grpc", server.port)).why


async def test_a_real_grpc_server_over_tls(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("server")
    with GrpcServer({"": "SERVING"}, pair) as server:
        assert await verdict("grpc", server.port, tls="insecure", host="localhost") == GOOD
        assert "certificate is not trusted" in (await verdict("grpc", server.port, tls="verify")).why
        assert not (await verdict("grpc", server.port)).ok


@pytest.fixture
def container(engine: Engine) -> Container:
    return engine.run(image=shell.load(engine))


async def run(client: DockerClient | None, container: Container, command: str, timeout: float = GENEROUS) -> Verdict:
    target = CheckTarget("127.0.0.1", 8000, container=container.id)
    return await check(register_check(f"exec:{command}"), target, timeout, client)


async def test_a_command_in_a_container_is_judged_by_its_exit_code(engine: Engine, container: Container) -> None:
    async with DockerClient(engine.host) as client:
        assert await run(client, container, "test -d /tmp") == GOOD
        assert (await run(client, container, "test -e /tmp/ready")).why == "the command ended with 1"
        found = await run(client, container, "echo first; echo 'not $HOME yet' >&2; exit 3")
        assert found == Verdict(False, "the command ended with 3: not $HOME yet")
        assert "ended with 127" in (await run(client, container, "nonsense")).why
        assert "ended with 2" in (await run(client, container, "if then 'never closed")).why
        assert await run(client, container, "sleep 1 >/dev/null 2>&1 & exec >&- 2>&-; sleep 0.2") == GOOD
        assert await run(client, container, "yes | { read a; sleep 0.1; }; yes x 2>&1 & sleep 0.1; kill $!") == GOOD


async def test_a_command_that_does_not_end_is_killed_with_all_it_started(engine: Engine, container: Container) -> None:
    async with DockerClient(engine.host) as client:
        for command in ("sleep 97", "sleep 97 & sleep 98", "trap '' TERM; sleep 97; sleep 98"):
            assert (await run(client, container, command, 1)).why == "no answer within 1 s"
        await eventually(lambda: "sleep 9" not in engine.docker("top", container.id), what="no command is left")


async def test_containers_that_can_run_no_command_say_why(engine: Engine, container: Container) -> None:
    bare = engine.run(image=BARE)
    async with DockerClient(engine.host) as client:
        assert "/bin/sh" in (await run(client, bare, "true")).why
        container.pause()
        assert "is paused" in (await run(client, container, "true")).why
        container.unpause()
        container.kill()
        until(lambda: container.status == "exited")
        assert "is not running" in (await run(client, container, "true")).why
        container.rm()
        assert "No such container" in (await run(client, container, "true")).why


async def test_an_engine_that_lets_nobody_write_is_said_with_its_cure(engine: Engine, container: Container) -> None:
    with SocketProxy(engine.host) as proxy:
        async with DockerClient(proxy.host) as client:
            found = await run(client, container, "true")
    assert found.why.startswith("the engine lets us run no command (403): give longshore the engine's own socket")
    assert "no engine" in (await run(None, container, "true")).why
    nowhere = await check(register_check("exec:true"), CheckTarget("127.0.0.1", 80), GENEROUS)
    assert "runs in containers only" in nowhere.why
