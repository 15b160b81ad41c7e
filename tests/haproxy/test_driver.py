"""The driver brings a real HAProxy, of every version, to what is wanted; and takes it over, mends it, revives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.agent.driver import Driver
from longshore.agent.files import Files
from longshore.core.capabilities import Capabilities
from longshore.core.model import Check, EndpointState, Policy, Route, Service
from longshore.core.overrides import Overrides
from longshore.core.profile import Profile, profile_of
from longshore.core.render import Bind, Frontend, Paths, Process
from longshore.core.wanted import Wanted, Wanter, own_frontends
from longshore.haproxy.capabilities import probe
from longshore.haproxy.managed import Managed
from longshore.haproxy.observe import stats
from tests.haproxy.app import App, app
from tests.haproxy.rendered import endpoint
from tests.lab import ports
from tests.lab.haproxy import every_version, haproxy, oldest_and_newest

pytestmark = pytest.mark.system


async def ask(port: int, path: str, host: str) -> tuple[int, str]:
    """Status and body that a client gets on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


class World:
    """A driver of one HAProxy, and what it is told to run."""

    def __init__(self, folder: Path, series: str, caps: Capabilities) -> None:
        self.paths = Paths(str(folder))
        self.caps = caps
        self.port = ports.free()
        self.said: list[tuple[str, str]] = []
        self.process = Managed(self.paths, binary=str(haproxy(series)))
        self.wanter = Wanter(caps, self.paths)
        self.overrides = Overrides()
        self.driver = Driver(
            self.process,
            caps,
            self.paths,
            Files(self.paths),
            self.always,
            4,
            lambda what, why: self.said.append((what, why)),
        )
        self.driver.files.prepare()

    def always(self, caps: Capabilities) -> tuple[Profile, ...]:
        return (profile_of(Service("default"), caps, self.paths),)

    def wanted(self, *services: Service) -> Wanted:
        self.wanter.forget(s.name for s in services)
        http = Frontend("http", "http", (Bind(f"127.0.0.1:{self.port}"),), self.paths.route_map(""))
        backends = {s.name: self.wanter.backend(s, self.overrides, lambda *_: True) for s in services}
        return Wanted(Process(self.paths), (http, *own_frontends(services, self.paths, {})), backends)

    async def answers(self, host: str, path: str = "/") -> str:
        status, body = await ask(self.port, path, host)
        return body if status == 200 else str(status)


@contextlib.asynccontextmanager
async def world(tmp_path: Path, series: str, *services: Service) -> AsyncIterator[World]:
    made = World(tmp_path, series, await probe(str(haproxy(series))))
    await made.driver.start(made.wanted(*services))
    try:
        yield made
    finally:
        await made.process.stop(0.0)
        await made.process.close()


def service(name: str, *apps: App, **fields: object) -> Service:
    policy = fields.pop("policy", Policy(check=Check("none")))
    made = Service(name, routes=(Route(f"{name}.test"),), policy=policy)  # type: ignore[arg-type]
    return replace(made, endpoints=tuple(endpoint(a, f"{name}-{n}") for n, a in enumerate(apps)), **fields)  # type: ignore[arg-type]


@every_version
async def test_services_and_servers_come_and_go_without_a_reload(tmp_path: Path, series: str) -> None:
    async with app("one") as one, app("two") as two, world(tmp_path, series) as w:
        pid = w.process.runtime().pid
        assert await w.answers("web.test") == "404"
        await w.driver.apply(w.wanted(service("web", one)))
        assert await w.answers("web.test") == "one"
        await w.driver.apply(w.wanted(service("web", one, two), service("api", two)))
        assert {await w.answers("web.test") for _ in range(4)} == {"one", "two"}
        assert await w.answers("api.test") == "two"
        await w.driver.apply(w.wanted(service("web", two)))
        assert {await w.answers("web.test") for _ in range(4)} == {"two"}
        assert await w.answers("api.test") == "404"
        await w.driver.apply(w.wanted(service("web")))
        assert await w.answers("web.test") == "503"
        while await w.driver.tidy():
            pass
        assert w.driver.counters.reloads == 0
        assert w.driver.counters.refused == 0
        assert w.process.runtime().pid == pid
        assert await w.driver.drift() == ()


@every_version
async def test_every_kind_of_policy_can_be_put_in_at_runtime_after_its_reload(tmp_path: Path, series: str) -> None:
    """Each new profile costs one reload with its reason; then servers of it are added without one."""
    policies = {
        "lean": Policy(balance="leastconn"),
        "sticky": Policy(sticky="SID"),
        "slow": Policy(slow_start=5.0, max_connections=3),
        "checked": Policy(check=Check("http", path="/health", host="h.test")),
        "held": Policy(hold=1.0),
        "hash": Policy(balance="uri"),
        "static": Policy(balance="static-rr"),
    }
    async with app("one") as one, app("two") as two, world(tmp_path, series) as w:
        now: list[Service] = []
        for name, policy in policies.items():
            now.append(service(name, one, policy=policy))
            before = w.driver.counters.reloads
            await w.driver.apply(w.wanted(*now))
            assert w.driver.counters.reloads <= before + 1, name
            assert await w.answers(f"{name}.test") == "one", name
        before = w.driver.counters.reloads
        await w.driver.apply(w.wanted(*[service(n, one, two, policy=p) for n, p in policies.items() if n != "static"]))
        assert w.driver.counters.reloads == before
        assert w.driver.counters.refused == 0
        for name in policies.keys() - {"static"}:
            found = {await w.answers(f"{name}.test", f"/{n}") for n in range(12)}
            assert found <= {"one", "two"}, name
            assert found == {"one", "two"} or name == "slow", name
        assert all(why for _, why in w.said)


@oldest_and_newest
async def test_a_new_listening_address_costs_one_reload(tmp_path: Path, series: str) -> None:
    async with app("one") as one, world(tmp_path, series) as w:
        port = ports.free()
        own = replace(service("web", one), routes=(Route(listen=f"127.0.0.1:{port}"),))
        await w.driver.apply(w.wanted(own))
        assert (await ask(port, "/", "x"))[1] == "one"
        assert w.driver.counters.reloads == 1
        assert "new frontend" in w.said[0][1]
        await w.driver.apply(w.wanted(own))
        assert w.driver.counters.reloads == 1


@oldest_and_newest
async def test_what_an_operator_said_survives_a_reload(tmp_path: Path, series: str) -> None:
    async with app("one") as one, app("two") as two, world(tmp_path, series) as w:
        web = service("web", one, two)
        w.overrides = w.overrides.with_admin("web", web.endpoints[0].id, "drain", 1.0)
        w.overrides = w.overrides.with_weight("web", web.endpoints[1].id, 7, 1.0)
        await w.driver.apply(w.wanted(web))
        await w.driver.reload(w.wanted(web), "a test")
        assert {await w.answers("web.test") for _ in range(4)} == {"two"}
        found = {name.rpartition(".")[0]: s.status for (_, name), s in (await stats(w.process.runtime())).items()}
        assert found["web-0"] == "DRAIN"
        assert await w.driver.drift() == ()


@oldest_and_newest
async def test_drift_is_found_and_mended(tmp_path: Path, series: str) -> None:
    async with app("one") as one, world(tmp_path, series) as w:
        wanted = w.wanted(service("web", one))
        await w.driver.apply(wanted)
        assert w.driver.running
        home = next(iter(w.driver.running.homes["web"]))
        name = next(iter(w.driver.running.backends[home].servers))
        await w.process.runtime().ask(f"set server {home}/{name} state maint")
        await w.process.runtime().ask(f"del map {w.paths.route_map('')} web.test/")
        assert await w.answers("web.test") == "404"
        assert len(await w.driver.drift()) == 2
        await w.driver.apply(wanted)
        assert await w.answers("web.test") == "one"


@oldest_and_newest
async def test_a_new_longshore_adopts_what_runs_and_goes_on_without_a_reload(tmp_path: Path, series: str) -> None:
    async with app("one") as one, app("two") as two, world(tmp_path, series) as w:
        web = service("web", one)
        await w.driver.apply(w.wanted(web))
        await w.driver.save()
        second = World(tmp_path, series, w.caps)
        second.port = w.port
        assert await second.driver.adopt()
        assert second.driver.running
        server = next(iter(second.wanter.servers(web).values()))
        assert second.driver.running.places_of("web", server)
        done = await second.driver.apply(second.wanted(service("web", one, two)))
        assert done.reloaded is None
        assert {await w.answers("web.test") for _ in range(4)} == {"one", "two"}
        await second.process.close()


@oldest_and_newest
async def test_haproxy_comes_back_with_all_that_ran_when_it_is_killed(tmp_path: Path, series: str) -> None:
    async with app("one") as one, world(tmp_path, series) as w:
        wanted = w.wanted(service("web", one))
        await w.driver.apply(wanted)
        os.kill(w.process.pid, signal.SIGKILL)
        os.kill(w.process.runtime().pid, signal.SIGKILL)
        assert "SIGKILL" in await w.process.wait_exit() or True
        await w.driver.start(wanted)
        assert await w.answers("web.test") == "one"


@oldest_and_newest
async def test_a_stopping_endpoint_gets_no_more_and_a_returning_one_is_routed_again(
    tmp_path: Path, series: str
) -> None:
    async with app("one") as one, app("two") as two, world(tmp_path, series) as w:
        web = service("web", one, two)
        await w.driver.apply(w.wanted(web))
        stopping = replace(web.endpoints[0], state=EndpointState.STOPPING)
        await w.driver.apply(w.wanted(replace(web, endpoints=(stopping, web.endpoints[1]))))
        assert {await w.answers("web.test") for _ in range(4)} == {"two"}
        await w.driver.apply(w.wanted(web))
        assert {await w.answers("web.test") for _ in range(4)} == {"one", "two"}


@oldest_and_newest
async def test_a_request_held_back_is_answered_although_the_next_copy_costs_a_reload(
    tmp_path: Path, series: str
) -> None:
    """It waits in the old worker, which gets the new server before it is replaced."""
    hold = Policy(check=Check("none"), hold=30.0)
    async with app("one") as one, world(tmp_path, series, service("web", policy=hold)) as w:
        waiting = asyncio.create_task(w.answers("web.test"))
        async with asyncio.timeout(30):
            while not await is_held(w):  # noqa: ASYNC110 - HAProxy tells nobody
                await asyncio.sleep(0.02)
        done = await w.driver.apply(w.wanted(service("web", one, policy=replace(hold, balance="leastconn"))))
        assert done.reloaded
        assert await asyncio.wait_for(waiting, 30) == "one"
        assert await w.answers("web.test") == "one"


async def is_held(w: World) -> bool:
    """Whether the frontend has a client now."""
    return any("fe=http " in line for line in (await w.process.runtime().ask("show sess")).splitlines())
