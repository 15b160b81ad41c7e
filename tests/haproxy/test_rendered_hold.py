"""`hold`: requests wait while a service has no endpoint that is up, in every version of HAProxy."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from longshore.core import hold
from longshore.core.model import Check, Policy, Route, Service
from tests.haproxy.app import app, echo
from tests.haproxy.rendered import Rendered, endpoint, exchange, run, server_for, until
from tests.haproxy.tls import insecure
from tests.lab import ports
from tests.lab.haproxy import every_version

pytestmark = pytest.mark.system

H2_GET = b"\x82\x84\x87\x41\x06a.test"  # HPACK of GET https://a.test/ (RFC 7541)
HELD = Service("web", routes=(Route("a.test"),), policy=Policy(hold=600))


@every_version
async def test_requests_wait_for_the_first_endpoint(series: str) -> None:
    """All of them, POSTs too, and none is sent twice."""
    async with app("it") as it, run(series, HELD) as rendered:
        asked = [asyncio.create_task(rendered.ask(method=m, body=b)) for m, b in [("GET", ""), ("POST", "x")] * 10]
        await rendered.until_column("scur", "20", "s:web")
        await rendered.add("s:web", server_for(HELD, endpoint(it), rendered))
        assert [(a.status, a.body) for a in await asyncio.gather(*asked)] == [(200, "it")] * 20
        assert len(it.requests) == 20


@every_version
async def test_requests_wait_while_all_endpoints_are_down(series: str) -> None:
    async with app("it") as it:
        service = Service("web", routes=HELD.routes, policy=HELD.policy, endpoints=(endpoint(it),))
        async with run(series, service) as rendered:
            name = rendered.layout.backends[0].servers[0][0].name
            await rendered.command(f"set server s:web/{name} state maint")
            asked = asyncio.create_task(rendered.ask())
            await rendered.until_column("scur", "1", "s:web")
            await rendered.command(f"set server s:web/{name} state ready")
            assert (await asked).status == 200


@every_version
async def test_requests_wait_that_met_the_last_endpoint_when_it_had_just_closed(series: str) -> None:
    """They are past the wait when they are refused: the server that nobody answers at keeps them trying."""
    async with app("it") as it:
        policy = replace(HELD.policy, check=Check("none"))
        service = replace(HELD, policy=policy, endpoints=(endpoint(ports.free()),))
        async with run(series, service) as rendered:
            await rendered.add("s:web", hold.NOBODY)
            asked = [asyncio.create_task(rendered.ask(method=m, body=b)) for m, b in [("GET", ""), ("POST", "x")] * 3]
            await rendered.until_column("scur", "6", "s:web")
            name = rendered.layout.backends[0].servers[0][0].name
            await rendered.command(f"set server s:web/{name} state maint")
            late = [asyncio.create_task(rendered.ask(method="POST", body="x")) for _ in range(3)]
            await rendered.until_column("scur", "9", "s:web")
            await until(lambda: all_refused(rendered, 6), "all have tried the server that refuses")
            await rendered.add("s:web", server_for(service, endpoint(it, "it"), rendered))
            assert [(a.status, a.body) for a in await asyncio.gather(*asked, *late)] == [(200, "it")] * 9
            assert len(it.requests) == 9


async def all_refused(rendered: Rendered, count: int) -> bool:
    """Whether the server that refuses has sent so many requests back."""
    counted = [int(await rendered.column(name, "s:web", hold.NOBODY.name)) for name in ("wretr", "wredis")]
    return sum(counted) >= count


@every_version
async def test_the_wait_ends_with_503(series: str) -> None:
    async with run(series, Service("web", routes=HELD.routes, policy=Policy(hold=0.2))) as rendered:
        assert (await rendered.ask()).status == 503


@every_version
async def test_the_wait_ends_when_an_http_2_client_leaves(series: str) -> None:
    """HTTP/1 clients are not watched by HAProxy before it has chosen a server."""
    async with run(series, HELD) as rendered:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", rendered.https, ssl=insecure("h2"))
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, H2_GET))
            await rendered.until_column("scur", "1", "s:web")
            writer.transport.abort()
            await rendered.until_column("scur", "0", "s:web")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@every_version
async def test_the_wait_ends_when_a_tcp_client_leaves(series: str) -> None:
    port = ports.free()
    service = Service("db", "tcp", (Route(listen=f"127.0.0.1:{port}"),), Policy(hold=600))
    async with run(series, service) as rendered:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await rendered.until_column("scur", "1", "s:db")
        writer.close()
        await writer.wait_closed()
        await rendered.until_column("scur", "0", "s:db")
        assert await _alerts(rendered) == []


@every_version
async def test_held_connections_wait_too(series: str) -> None:
    """A TCP client may speak first, or wait to be spoken to."""
    port = ports.free()
    service = Service("db", "tcp", (Route(listen=f"127.0.0.1:{port}"),), Policy(hold=600))
    async with echo() as behind, run(series, service) as rendered:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        quiet_reader, quiet = await asyncio.open_connection("127.0.0.1", port)
        await rendered.until_column("scur", "2", "s:db")
        await rendered.add("s:db", server_for(service, endpoint(behind), rendered))
        assert await reader.readexactly(5) == b"hello"
        quiet.write(b"later")
        assert await quiet_reader.readexactly(5) == b"later"
        for each in (writer, quiet):
            each.close()
            await each.wait_closed()


@every_version
async def test_holding_costs_nothing_while_endpoints_are_up(series: str) -> None:
    """The next request on a kept connection is not delayed by a step of the wait."""
    async with app("it") as it:
        service = Service("web", routes=HELD.routes, policy=HELD.policy, endpoints=(endpoint(it),))
        async with run(series, service) as rendered:
            reader, writer = await asyncio.open_connection("127.0.0.1", rendered.http)
            for _ in range(50):
                assert (await exchange(reader, writer)).status == 200
            writer.close()
            await writer.wait_closed()
            assert await _alerts(rendered) == []


async def _alerts(rendered: Rendered) -> list[str]:
    text = await asyncio.to_thread(rendered.output.read_text)
    return [line for line in text.splitlines() if "ALERT" in line or "Lua" in line]
