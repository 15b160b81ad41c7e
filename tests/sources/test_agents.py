"""The source `agents` against real agents in this process, each with an engine of its own, also in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from longshore.agent.node import NodeAgent
from longshore.config.agent import AgentConfig, AgentTls
from longshore.config.swarm import AgentsSource, AgentsTls
from longshore.core.drafts import Options
from longshore.core.model import EndpointState, Snapshot
from longshore.sources import agents as source
from longshore.sources.docker import Patience
from longshore.web.snapshots import Cannot, Snapshots
from tests.clients.fake_engine import FakeEngine, serving
from tests.lab.authority import Authority
from tests.lab.dns_odd import OddDns
from tests.lab.ports import free
from tests.lab.waiting import eventually
from tests.sources.docker_watching import Watching

QUICK = Patience(first=0.01, longest=0.05)
READY, STOPPING = EndpointState.READY, EndpointState.STOPPING


class Machine(FakeEngine):
    """An engine that also says who it is. Its containers publish port 8000."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def application(self) -> web.Application:
        """Add GET /info."""
        app = super().application()
        app.router.add_get("/{api}/info", self._info)
        return app

    async def _info(self, _: web.Request) -> web.Response:
        swarm = {"NodeAddr": f"10.0.0.{self.name[-1]}"}
        return web.json_response(
            {"ID": self.name, "Name": self.name, "Labels": ["longshore.zone=east"], "Swarm": swarm}
        )

    def runs(self, name: str, service: str = "") -> str:
        """Start a container."""
        settings = {"Ports": {"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}, "Networks": {}}
        labels = {"longshore.service": service or name, "longshore.host": f"{name}.test"}
        return self.start(name, NetworkSettings=settings, labels=labels)


@contextlib.asynccontextmanager
async def agent(engine: FakeEngine, port: int, **settings: Any) -> AsyncIterator[NodeAgent]:
    """Run an agent for an engine on a port of loopback."""
    async with serving(engine) as host:
        config = AgentConfig(host=host, bind=f"127.0.0.1:{port}", **settings)
        node = NodeAgent(config)
        work = asyncio.create_task(node.run())
        try:
            async with Snapshots(node, config):
                await eventually(lambda: node.line)
                yield node
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@contextlib.asynccontextmanager
async def listening(last: Snapshot | None = None, **settings: Any) -> AsyncIterator[Watching]:
    """Run the source."""
    seen = Watching()
    config = AgentsSource(**settings)
    work = source.watch(config, Options("agents"), seen.publish, last=last, patience=QUICK, lookup=0.05)
    seen.task = asyncio.create_task(work)
    seen.task.add_done_callback(lambda _: seen.wake())
    try:
        yield seen
    finally:
        seen.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await seen.task


async def says(seen: Watching, words: str) -> None:
    """Wait until a problem says this."""
    await seen.until(lambda: any(words in each.what for each in seen.last.problems))


def at(*ports: int) -> tuple[str, ...]:
    return tuple(f"127.0.0.1:{port}" for port in ports)


async def test_what_starts_and_stops_on_any_machine_is_told(tmp_path: Path) -> None:
    one, two = Machine("h1"), Machine("h2")
    a, b = free(), free()
    async with agent(one, a), agent(two, b), listening(addresses=at(a, b)) as seen:
        await seen.until_current()
        one.runs("web")
        await seen.until_state("web", READY)
        endpoint = seen.endpoint("web")
        assert endpoint
        assert (endpoint.host, endpoint.zone, endpoint.address, endpoint.port) == ("h1", "east", "10.0.0.1", 32768)
        identity = two.runs("api")
        await seen.until_state("api", READY)
        before = seen.service("web")
        two.emit("kill", identity, signal="15")
        await seen.until_state("api", STOPPING)
        assert seen.service("web") is before
        two.die(identity)
        two.destroy(identity)
        await seen.until_state("api", None)


async def test_at_its_start_nothing_is_told_before_every_agent_was_tried() -> None:
    """Else what runs on a machine that is heard a moment later would be gone for that moment."""
    one, two = Machine("h1"), Machine("h2")
    one.runs("web")
    two.runs("api")
    a, b = free(), free()
    async with agent(one, a), agent(two, b), listening(addresses=at(a, b)) as seen:
        await seen.until_current()
        assert [{each.name for each in snapshot.services} for snapshot in seen.snapshots] == [{"web", "api"}]


async def test_a_lost_agent_is_said_and_takes_nothing_along_and_comes_back() -> None:
    one, two = Machine("h1"), Machine("h2")
    one.runs("web")
    two.runs("api")
    a, b = free(), free()
    async with agent(one, a), listening(addresses=at(a, b)) as seen:
        async with agent(two, b):
            await seen.until_state("api", READY)
            kept = seen.service("api")
        await says(seen, "nobody tells of h2 any more")
        assert seen.service("api") is kept
        assert not seen.last.stale
        async with agent(two, b):
            await seen.until(lambda: not seen.last.problems)
            assert seen.service("api") is kept


async def test_what_a_lost_agent_told_goes_after_a_stated_time() -> None:
    one, two = Machine("h1"), Machine("h2")
    one.runs("web")
    two.runs("api")
    a, b = free(), free()
    async with agent(one, a), listening(addresses=at(a, b), keep=0.2) as seen:
        async with agent(two, b):
            await seen.until_state("api", READY)
        await seen.until_state("api", None)
        assert seen.state("web") is READY


async def test_when_all_agents_are_lost_everything_stays_and_is_stale() -> None:
    one = Machine("h1")
    one.runs("web")
    port = free()
    async with listening(addresses=at(port), keep=0.1) as seen:
        async with agent(one, port):
            await seen.until_state("web", READY)
        await seen.until(lambda: "no agent is heard, since" in seen.last.stale)
        assert seen.state("web") is READY


async def test_after_a_restart_machines_that_are_not_heard_keep_what_they_had() -> None:
    one, two = Machine("h1"), Machine("h2")
    one.runs("web-1", "web")
    two.runs("web-2", "web")
    a, b = free(), free()
    async with agent(one, a), agent(two, b), listening(addresses=at(a, b)) as seen:
        await seen.until(lambda: len(seen.last.services[0].endpoints) == 2 if seen.last.services else False)
        last = seen.last
    async with agent(one, a), listening(last, addresses=at(a, b)) as seen:
        await seen.until_current()
        assert {each.host for each in seen.last.services[0].endpoints} == {"h1", "h2"}
        del two.containers[next(iter(two.containers))]
        async with agent(two, b):
            await seen.until(lambda: {each.host for each in seen.last.services[0].endpoints} == {"h1"})


async def test_agents_are_found_by_name_and_a_name_that_is_gone_harms_nothing() -> None:
    one = Machine("h1")
    one.runs("web")
    port = free()
    with OddDns() as nameserver:
        async with agent(one, port), listening(dns="tasks.agent", port=port, nameservers=(nameserver.where,)) as seen:
            await says(seen, "tasks.agent does not exist")
            nameserver.put("tasks.agent", "A", "127.0.0.1")
            await seen.until_state("web", READY)
            nameserver.drop("tasks.agent")
            await says(seen, "tasks.agent does not exist")
            assert seen.state("web") is READY
            assert not seen.last.stale


async def test_only_who_has_the_token_is_told(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("secret\n")
    (tmp_path / "bad").write_text("guess\n")
    one = Machine("h1")
    one.runs("web")
    port = free()
    async with agent(one, port, token_file=tmp_path / "good"):
        for said in (tmp_path / "bad", None):
            async with listening(addresses=at(port), token_file=said) as seen:
                await says(seen, "refuses our token")
        async with listening(addresses=at(port), token_file=tmp_path / "good") as seen:
            await seen.until_state("web", READY)
        async with listening(addresses=at(port), token_file=tmp_path / "none") as seen:
            await says(seen, "cannot be read")


async def test_over_tls_both_sides_show_who_they_are(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.sign("agent", names="DNS:tasks.agent")
    ours = authority.sign("balancer")
    one = Machine("h1")
    one.runs("web")
    port = free()
    async with agent(one, port, serve_tls=AgentTls(cert=cert, key=key, client_ca=authority.ca)):
        good = AgentsTls(ca=authority.ca, cert=ours[0], key=ours[1], name="tasks.agent")
        async with listening(addresses=at(port), tls=good) as seen:
            await seen.until_state("web", READY)
        nobody = AgentsTls(ca=authority.ca, name="tasks.agent")
        async with listening(addresses=at(port), tls=nobody) as seen:
            await seen.until(lambda: any("certificate" in each.what + each.hint for each in seen.last.problems))
        other = good.model_copy(update={"name": "else.where"})
        async with listening(addresses=at(port), tls=other) as seen:
            await says(seen, "certificate")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bind": ":{}"}, "nothing guards"),
        ({"token_file": Path("/no/such/file")}, "token file"),
        ({"serve_tls": AgentTls(cert=Path("/no"), key=Path("/no"))}, "serve-tls"),
    ],
)
async def test_an_agent_that_cannot_serve_safely_says_so(settings: dict[str, Any], words: str) -> None:
    bind = settings.get("bind", "127.0.0.1:{}").format(free())
    config = AgentConfig(**{**settings, "bind": bind})
    with pytest.raises(Cannot, match=words):
        async with Snapshots(NodeAgent(config), config):
            pass


async def test_what_is_no_agent_is_said() -> None:
    other = web.Application()

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text='{"hello": "world"}\n')

    other.router.add_get("/v1/snapshot", hello)
    async with serving(other) as host, listening(addresses=(host.removeprefix("tcp://"),)) as seen:
        await says(seen, "is no agent of ours")
