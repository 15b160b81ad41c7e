"""No request is lost that can be saved, and none is sent twice that must not be: in every version of HAProxy."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.core.model import Check, Policy, Route, Service
from tests.haproxy.app import app
from tests.haproxy.rendered import certificate, endpoint, exchange, run, server_for
from tests.haproxy.tls import server_context
from tests.lab import ports
from tests.lab.haproxy import every_version
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system

HERE = (Route("a.test"),)
UNCHECKED = Policy(check=Check(kind="none"))


@every_version
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
async def test_an_endpoint_that_refuses_connections_costs_no_request(series: str, method: str) -> None:
    """Nothing was sent yet, so every method is tried again elsewhere."""
    async with app("up") as up:
        apps = (endpoint(ports.free()), endpoint(ports.free()), endpoint(up))
        async with run(series, Service("web", routes=HERE, policy=UNCHECKED, endpoints=apps)) as rendered:
            for _ in range(6):
                answer = await rendered.ask(method=method, body="" if method == "GET" else "x")
                assert (answer.status, answer.body) == (200, "up")


@every_version
async def test_all_but_two_of_twenty_refuse_at_the_same_moment(series: str) -> None:
    """A service is scaled down and closes at once; its servers are taken out a moment later."""
    async with app("one") as one, app("two") as two:
        closed = ports.free(18)
        apps = (endpoint(one), endpoint(two), *(endpoint(closed + number) for number in range(18)))
        async with run(series, Service("web", routes=HERE, policy=UNCHECKED, endpoints=apps)) as rendered:
            for _ in range(20):
                assert (await rendered.ask()).status == 200


@every_version
async def test_a_request_that_died_on_its_way_is_repeated_only_if_it_may_be(series: str) -> None:
    """GET, HEAD, PUT, DELETE go to another endpoint when the first closes without an answer; POST and PATCH do not."""
    async with app("one") as one, app("two") as two:
        service = Service("web", routes=HERE, policy=UNCHECKED, endpoints=(endpoint(one), endpoint(two)))
        async with run(series, replace(service, policy=replace(UNCHECKED, retries=3))) as rendered:
            for method, least, most in (("GET", 2, 4), ("HEAD", 2, 4), ("PUT", 2, 4), ("DELETE", 2, 4)):
                await rendered.ask("/drop", method=method)
                seen = [r.method for r in one.requests + two.requests]
                assert least <= seen.count(method) <= most, method
                assert {r.method for r in one.requests} == {r.method for r in two.requests}, f"{method} was not spread"
            for method in ("POST", "PATCH"):
                answer = await rendered.ask("/drop", method=method, body="x")
                assert answer.status == 502
                assert [r.method for r in one.requests + two.requests].count(method) == 1, method


@every_version
@pytest.mark.parametrize("tls", ["", "insecure"])
async def test_a_server_that_closes_kept_connections_costs_no_request(series: str, tls: str, tmp_path: Path) -> None:
    """The race of every keep-alive: the server closes in the moment in which the next request is sent."""
    context = server_context(certificate(tmp_path)) if tls else None
    async with app("it", context) as it:
        it.refuses_reuse = True
        policy = replace(UNCHECKED, server_tls=tls)  # type: ignore[arg-type]
        async with run(series, Service("web", routes=HERE, policy=policy, endpoints=(endpoint(it),))) as rendered:
            reader, writer = await asyncio.open_connection("127.0.0.1", rendered.http)
            for turn in range(10):
                for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
                    answer = await exchange(
                        reader, writer, f"/{turn}", method=method, body="" if method == "GET" else "x"
                    )
                    assert answer.status == 200, method
            writer.close()
            await writer.wait_closed()
            for method in ("POST", "PATCH", "PUT"):
                assert all(r.nth == 1 for r in it.requests if r.method == method), method
                assert sum(r.method == method for r in it.requests) == 10


@every_version
async def test_connections_to_servers_are_kept_for_what_may_be_repeated(series: str) -> None:
    """Also to servers added at runtime; and a POST leaves no idle connection behind."""
    async with app("it") as it:
        service = Service("web", routes=HERE, policy=UNCHECKED)
        async with run(series, service) as rendered:
            await rendered.add("s:web", server_for(service, endpoint(it, "it"), rendered))
            reader, writer = await asyncio.open_connection("127.0.0.1", rendered.http)
            for _ in range(20):
                assert (await exchange(reader, writer)).status == 200
            assert {r.connection for r in it.requests} == {1}
            for _ in range(5):
                assert (await exchange(reader, writer, method="POST", body="x")).status == 200
            assert {r.connection for r in it.requests} == {1, 2, 3, 4, 5, 6}
            assert (await exchange(reader, writer)).status == 200
            assert it.requests[-1].connection == 1
            await eventually(lambda: it.open <= 1, what="the connections of the POSTs are closed")
            writer.close()
            await writer.wait_closed()


@every_version
async def test_what_runs_on_a_server_in_maint_finishes(series: str) -> None:
    async with app("one") as one, app("two") as two:
        one.gate.clear()
        two.gate.clear()
        async with run(series, Service("web", routes=HERE, endpoints=(endpoint(one), endpoint(two)))) as rendered:
            asked = [asyncio.create_task(rendered.ask()) for _ in range(6)]
            await rendered.until_column("scur", "6", "s:web")
            name = next(s.name for s, _ in rendered.layout.backends[0].servers)
            await rendered.command(f"set server s:web/{name} state maint")
            one.gate.set()
            two.gate.set()
            assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 6
            assert {(await rendered.ask()).body for _ in range(4)} == {"two"}


@every_version
async def test_a_client_may_wait_longer_than_it_may_be_silent(series: str) -> None:
    """The answer's time is limited by the service's `timeout` alone, whatever the frontend's `timeout client`."""
    async with app("it") as it:
        it.delay = 2.5
        service = Service("web", routes=HERE, endpoints=(endpoint(it),))
        async with run(series, service, edit=("timeout client 60s", "timeout client 1s")) as rendered:
            assert (await rendered.ask()).status == 200
