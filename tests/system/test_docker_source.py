"""The `docker` source against real engines: what people do with containers, and what it makes of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from tests.lab.container import Container
from tests.lab.engine import Engine, newest_docker
from tests.sources.docker_watching import READY, STOPPING, WAITING, Watching, watching

pytestmark = pytest.mark.system

do = asyncio.to_thread  # the lab's calls block


@pytest.fixture
async def seen(engine: Engine) -> AsyncIterator[Watching]:
    """A source that has seen that the engine is empty."""
    async with watching(engine.host) as seen:
        await seen.until_current()
        yield seen


async def run(engine: Engine, name: str, *args: str, image: str = "", **env: object) -> Container:
    """Start a container that asks for a service of its own name."""
    labels = {"longshore.service": name, "longshore.host": f"{name}.test"}
    options = {"image": image} if image else {}
    return await do(lambda: engine.run(name, labels=labels, args=args, env=env, **options))


async def test_a_started_container_is_in_with_its_address(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    endpoint = seen.endpoint("web")
    assert endpoint is not None
    assert (endpoint.id, endpoint.address, endpoint.port) == (f"{web.short}:8000", await do(lambda: web.address), 8000)
    assert "bridge" in endpoint.reason


async def test_what_runs_already_is_found(engine: Engine) -> None:
    await run(engine, "web")
    await do((await run(engine, "gone")).stop)
    async with watching(engine.host) as seen:
        await seen.until_current()
        assert [seen.state("web"), seen.state("gone")] == [READY, None]


async def test_twenty_started_at_once_are_all_in(engine: Engine, seen: Watching) -> None:
    names = [f"web-{number}" for number in range(20)]
    await asyncio.gather(*(run(engine, name) for name in names))
    for name in names:
        await seen.until_state(name, READY)


async def test_docker_stop_takes_it_out_while_it_still_serves(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web", DRAIN=30)
    await seen.until_state("web", READY)
    stopping = asyncio.create_task(do(web.stop, 30))
    await seen.until_state("web", STOPPING)
    assert await do(lambda: web.status) == "running"
    await do(web.kill)
    await stopping
    await seen.until_state("web", None)


@pytest.mark.parametrize(
    ("stop_signal", "harmless", "ending"), [("", "HUP", "KILL"), ("RTMIN+3", "TERM", "RTMIN+3"), ("3", "USR1", "QUIT")]
)
async def test_only_its_stop_signal_or_kill_ends_it(
    engine: Engine, seen: Watching, stop_signal: str, harmless: str, ending: str
) -> None:
    """The web service ignores TERM here; as process 1 it ignores what it does not handle."""
    web = await run(engine, "web", *(["--stop-signal", stop_signal] if stop_signal else []), IGNORE=1)
    await seen.until_state("web", READY)
    before = seen.service("web")
    await do(engine.docker, "kill", "--signal", harmless, web.id)
    await run(engine, "after")
    await seen.until_state("after", READY)
    assert seen.service("web") is before
    await do(engine.docker, "kill", "--signal", ending, web.id)
    await seen.until(lambda: seen.state("web") is not READY)


async def test_restart_brings_it_back(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    first = seen.endpoint("web")
    await do(web.restart)
    await seen.until(lambda: seen.state("web") is READY and seen.endpoint("web") != first)


async def test_a_crash_under_a_restart_policy_comes_back(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web", "--restart", "always")
    await seen.until_state("web", READY)
    os.kill(await do(lambda: web.pid), signal.SIGKILL)
    await seen.until(lambda: seen.state("web") is not READY)
    await seen.until_state("web", READY)


async def test_pause_and_unpause(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    await do(web.pause)
    await seen.until_state("web", WAITING)
    await do(web.unpause)
    await seen.until_state("web", READY)


async def test_a_healthcheck_decides(engine: Engine, seen: Watching) -> None:
    check = 'HEALTHCHECK --interval=300ms --timeout=5s --retries=1 CMD ["/bin/web", "healthy"]'
    await do(engine.load, "lab/checked:1", "EXPOSE 8000", check)
    web = await run(engine, "web", image="lab/checked:1")
    await seen.until_state("web", WAITING)
    await seen.until_state("web", READY)
    await do(web.get, "/fail?on")
    await seen.until_state("web", WAITING)
    await do(web.get, "/fail?off")
    await seen.until_state("web", READY)


async def test_rename(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    await do(web.rename, "other")
    await seen.until_state("other", READY)
    assert seen.endpoint("web") is None


async def test_a_network_disconnected_and_connected_again(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    await do(engine.docker, "network", "disconnect", "bridge", web.id)
    await seen.until_state("web", None)
    await do(engine.network, "shop")
    await do(engine.docker, "network", "connect", "shop", web.id)
    await seen.until_state("web", READY)
    endpoint = seen.endpoint("web")
    assert endpoint is not None
    assert endpoint.address == (await do(web.networks))["shop"]
    assert "shop" in endpoint.reason


async def test_removed_by_force(engine: Engine, seen: Watching) -> None:
    web = await run(engine, "web")
    await seen.until_state("web", READY)
    await do(web.rm)
    await seen.until_state("web", None)


async def test_an_engine_restart_with_live_restore_changes_nothing(new_engine: Callable[..., Engine]) -> None:
    engine = await do(lambda: new_engine(live_restore=True))
    await run(engine, "web")
    async with watching(engine.host) as seen:
        await seen.until_state("web", READY)
        before = seen.service("web")
        await do(engine.stop)
        await seen.until(lambda: seen.last.stale)
        assert seen.service("web") is before
        await do(engine.start)
        await seen.until_current()
        assert seen.service("web") is before


async def test_an_engine_restart_without_live_restore(new_engine: Callable[..., Engine]) -> None:
    """The engine stops its containers first, and they are out; what has a restart policy comes back with it."""
    engine = await do(new_engine)
    await run(engine, "kept", "--restart", "always")
    await run(engine, "lost")
    async with watching(engine.host) as seen:
        await seen.until_state("lost", READY)
        await do(engine.stop)
        await seen.until(lambda: seen.last.stale)
        assert READY not in (seen.state("kept"), seen.state("lost"))
        await do(engine.start)
        await seen.until_current()
        await seen.until_state("kept", READY)
        assert seen.state("lost") is None


async def test_a_crash_of_the_engine_empties_nothing(new_engine: Callable[..., Engine]) -> None:
    engine = await do(new_engine)
    await run(engine, "web")
    async with watching(engine.host) as seen:
        await seen.until_state("web", READY)
        await do(engine.kill9)
        await seen.until(lambda: "no Docker Engine" in seen.last.stale)
        assert seen.state("web") is READY


async def test_a_new_engine_with_a_raised_minimum(new_engine: Callable[..., Engine]) -> None:
    engine = await do(lambda: new_engine(tree=newest_docker(), env={"DOCKER_MIN_API_VERSION": "1.44"}))
    async with DockerClient(engine.host) as client:
        assert (1, 44) <= client.version.api <= (1, 51)
    async with watching(engine.host) as seen:
        await seen.until_current()
        web = await run(engine, "web")
        await seen.until_state("web", READY)
        stopping = asyncio.create_task(do(web.stop))
        await seen.until(lambda: seen.state("web") is not READY)
        await stopping
        await seen.until_state("web", None)


async def test_a_socket_that_is_not_for_us(engine: Engine) -> None:
    await do(engine.socket.chmod, 0o660)
    os.seteuid(65534)
    try:
        with pytest.raises(DockerError, match="permission denied") as caught:
            await DockerClient(engine.host).__aenter__()
    finally:
        os.seteuid(0)
    assert "usermod -aG docker" in caught.value.hint
