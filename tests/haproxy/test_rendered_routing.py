"""Rendered configurations route as `core.routes` says, in every version of HAProxy."""

from __future__ import annotations

import asyncio

import pytest

from longshore.core.model import Route, Service
from tests.haproxy.app import app, echo
from tests.haproxy.rendered import endpoint, run
from tests.lab import ports
from tests.lab.haproxy import every_version

pytestmark = pytest.mark.system


@every_version
async def test_hosts_and_paths_lead_to_the_most_specific_route(series: str) -> None:
    """The exact host, then the nearest wildcard, then the default; an exact path, then the longest prefix."""
    routes = {
        "exact": (Route("a.test"),),
        "api": (Route("a.test", "/api"), Route("b.test", "/only")),
        "deep": (Route("a.test", "/api/v1/"),),
        "just": (Route("a.test", "/api", exact=True), Route("a.test", "/", exact=True)),
        "wild": (Route("*.w.test"),),
        "wilder": (Route("*.x.w.test"),),
        "wild-path": (Route("*.w.test", "/p"),),
        "default": (Route("*"),),
        "default-path": (Route("*", "/everywhere"),),
    }
    async with app("it") as it:
        services = tuple(Service(name, routes=r, endpoints=(endpoint(it, name),)) for name, r in routes.items())
        async with run(series, *services) as rendered:
            for host, path, service in [
                ("a.test", "/", "just"),
                ("a.test", "/?q=/api", "just"),
                ("a.test", "/x", "exact"),
                ("A.TEST.", "/x", "exact"),
                ("a.test:8080", "/apix", "exact"),
                ("a.test", "/api", "just"),
                ("a.test", "/api?x=1", "just"),
                ("a.test", "/api/", "api"),
                ("a.test", "/api/v1x", "api"),
                ("a.test", "/api/v1", "deep"),
                ("a.test", "/api/v1/x", "deep"),
                ("a.test", "/API", "exact"),
                ("b.test", "/only/x", "api"),
                ("b.test", "/else", "default"),
                ("b.test", "/everywhere", "default-path"),
                ("w.test", "/", "default"),
                ("y.w.test", "/", "wild"),
                ("z.y.w.test", "/", "wild"),
                ("y.w.test", "/p/q", "wild-path"),
                ("y.x.w.test", "/", "wilder"),
                ("y.x.w.test", "/p", "wilder"),
                ("1.2.3.4.5.w.test", "/", "wild"),
                ("[::1]:80", "/", "default"),
            ]:
                before = await rendered.column("stot", f"s:{service}")
                answer = await rendered.ask(path, host)
                after = await rendered.column("stot", f"s:{service}")
                assert (answer.status, int(after)) == (200, int(before) + 1), f"{host}{path} is not led to {service}"


@every_version
async def test_a_wildcard_never_matches_the_bare_domain_and_no_suffix_by_chance(series: str) -> None:
    service = Service("wild", routes=(Route("*.w.test"),))
    async with run(series, service) as rendered:
        for host in ("w.test", "xw.test", "*.w.test.evil", "test", "a.w.testx"):
            assert (await rendered.ask("/", host)).status == 404, host
        assert (await rendered.ask("/", "a.w.test")).status == 503


@every_version
async def test_unknown_is_404_and_known_without_endpoints_is_503(series: str) -> None:
    async with run(series, Service("web", routes=(Route("a.test"), Route("b.test", "/b")))) as rendered:
        assert (await rendered.ask("/")).status == 503
        assert (await rendered.ask("/", "b.test")).status == 404
        assert (await rendered.ask("/", "other.test")).status == 404
        assert "longshore" in (await rendered.ask("/", "other.test")).body


@every_version
async def test_the_default_service_takes_requests_without_a_host(series: str) -> None:
    async with app("it") as it, run(series, Service("any", routes=(Route(),), endpoints=(endpoint(it),))) as rendered:
        reader, writer = await asyncio.open_connection("127.0.0.1", rendered.http)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()
        await writer.wait_closed()


@every_version
async def test_listen_has_an_address_and_a_map_of_its_own(series: str) -> None:
    port = ports.free()
    listen = f"127.0.0.1:{port}"
    async with app("own") as own, app("shared") as shared:
        services = (
            Service(
                "own", routes=(Route(listen=listen), Route("a.test", "/x", listen=listen)), endpoints=(endpoint(own),)
            ),
            Service("shared", routes=(Route("a.test"),), endpoints=(endpoint(shared),)),
        )
        async with run(series, *services) as rendered:
            assert (await rendered.ask(port=port)).body == "own"
            assert (await rendered.ask("/x", port=port)).body == "own"
            assert (await rendered.ask()).body == "shared"
            assert (await rendered.ask(host="else.test")).status == 404


@every_version
async def test_tcp_goes_to_its_service_and_is_closed_without_one(series: str) -> None:
    port, empty = ports.free(), ports.free()
    async with echo() as behind:
        services = (
            Service("db", "tcp", (Route(listen=f"127.0.0.1:{port}"),), endpoints=(endpoint(behind),)),
            Service("none", "tcp", (Route(listen=f"127.0.0.1:{empty}"),)),
        )
        async with run(series, *services) as rendered:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            await writer.wait_closed()
            for line in (f"del map {rendered.paths.tcp_map} none", "show version"):
                await rendered.command(line)
                reader, writer = await asyncio.open_connection("127.0.0.1", empty)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()


@every_version
async def test_routes_change_at_runtime(series: str) -> None:
    async with app("it") as it, run(series, Service("web", endpoints=(endpoint(it),))) as rendered:
        routes = rendered.paths.route_map("")
        assert (await rendered.ask()).status == 404
        await rendered.command(f"add map {routes} a.test/ s:web")
        assert (await rendered.ask()).body == "it"
        await rendered.command(f"del map {routes} a.test/")
        assert (await rendered.ask()).status == 404
