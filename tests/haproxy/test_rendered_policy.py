"""What a service's policy makes of its requests, in every version of HAProxy."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.core.model import Check, Policy, Route, Service
from tests.haproxy.app import app
from tests.haproxy.rendered import endpoint, exchange, run, server_for
from tests.haproxy.tls import insecure
from tests.lab import ports
from tests.lab.haproxy import every_version
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system

SECRET = "$5$longshore$JcZT8Idz2vVT42y2d91mKPgp3hQyBx3YqiDWyU923p8"  # of "secret", by openssl passwd -5
HERE = (Route("a.test"),)


@every_version
async def test_services_learn_of_the_client_from_us_alone(series: str) -> None:
    """What a client says about itself in X-Forwarded-… never reaches a service."""
    lies = {
        "X_Forwarded_For": "1.2.3.4",
        "X_Forwarded_Proto": "gopher",
        "X_Forwarded_Host": "lie",
        "X_Real_IP": "1.2.3.4",
    }
    more = {"X_Forwarded_Port": "1", "X_Forwarded_Prefix": "/lie", "Forwarded": "for=1.2.3.4"}
    async with app("it") as it, run(series, Service("web", routes=HERE, endpoints=(endpoint(it),))) as rendered:
        await rendered.ask(host="a.test:81", headers=lies | more)
        await rendered.ask(tls=insecure(), port=rendered.https)
        plain, secure = ({k: v for k, v in r.headers.items() if "forwarded" in k or "real" in k} for r in it.requests)
        told = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}
        assert plain == told | {
            "x-forwarded-proto": "http",
            "x-forwarded-host": "a.test:81",
            "x-forwarded-port": str(rendered.http),
        }
        assert secure == told | {
            "x-forwarded-proto": "https",
            "x-forwarded-host": "a.test",
            "x-forwarded-port": str(rendered.https),
        }


@every_version
async def test_the_matched_path_is_stripped_and_told(series: str) -> None:
    routes = (Route("a.test", "/api"), Route("a.test", "/a/b"), Route("b.test"), Route("c.test", "/x", exact=True))
    strip = Policy(strip_path=True)
    async with app("it") as it:
        services = (
            Service("many", routes=routes, policy=strip, endpoints=(endpoint(it),)),
            Service("one", routes=(Route("d.test", "/one"),), policy=strip, endpoints=(endpoint(it),)),
        )
        async with run(series, *services) as rendered:
            for host, path, seen, prefix in [
                ("a.test", "/api", "/", "/api"),
                ("a.test", "/api/", "/", "/api"),
                ("a.test", "/api/x/y?q=/api", "/x/y?q=/api", "/api"),
                ("a.test", "/api//x", "//x", "/api"),
                ("a.test", "/a/b/c", "/c", "/a/b"),
                ("b.test", "/other/x", "/other/x", None),
                ("c.test", "/x", "/", "/x"),
                ("d.test", "/one?q", "/?q", "/one"),
                ("d.test", "/one/two/", "/two/", "/one"),
            ]:
                assert (await rendered.ask(path, host)).status == 200
                request = it.requests[-1]
                assert (request.target, request.headers.get("x-forwarded-prefix")) == (seen, prefix), host + path


@every_version
async def test_https_only_redirected_and_strict(series: str) -> None:
    """`redirect-https` leads to the TLS frontend's port, `tls` hides the service from plain HTTP, `hsts` is for TLS."""
    async with app("it") as it:
        services = (
            Service("moved", routes=HERE, policy=Policy(redirect_https=True, hsts=300), endpoints=(endpoint(it),)),
            Service("hidden", routes=(Route("b.test"),), policy=Policy(tls=True), endpoints=(endpoint(it),)),
        )
        async with run(series, *services) as rendered:
            moved = await rendered.ask("/x?y=1", "a.test:80")
            assert (moved.status, moved.headers["location"]) == (308, f"https://a.test:{rendered.https}/x?y=1")
            assert "strict-transport-security" not in moved.headers
            assert (await rendered.ask(host="b.test")).status == 404
            assert not it.requests
            secure = await rendered.ask(port=rendered.https, tls=insecure())
            assert (secure.status, secure.headers["strict-transport-security"]) == (200, "max-age=300")
            assert (await rendered.ask(host="b.test", port=rendered.https, tls=insecure())).status == 200


@every_version
async def test_tls_frontends_offer_http_2_and_refuse_old_tls(series: str) -> None:
    async with run(series, Service("web", routes=HERE)) as rendered:
        _, writer = await asyncio.open_connection("127.0.0.1", rendered.https, ssl=insecure("h2", "http/1.1"))
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.close()
        await writer.wait_closed()
        old = insecure()
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", rendered.https, ssl=old)


@every_version
async def test_auth_asks_and_lets_in_who_knows_the_password(series: str) -> None:
    async with app("it") as it:
        service = Service("it.s", routes=HERE, policy=Policy(auth=(f"ann:{SECRET}",)), endpoints=(endpoint(it),))
        async with run(series, service) as rendered:
            refused = await rendered.ask()
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == 'Basic realm="it.s"'
            for user, status in (("ann:secret", 200), ("ann:wrong", 401), ("bob:secret", 401)):
                token = base64.b64encode(user.encode()).decode()
                assert (await rendered.ask(headers={"Authorization": f"Basic {token}"})).status == status


@every_version
async def test_a_sticky_client_stays_with_its_endpoint(series: str) -> None:
    """Also with endpoints that were added at runtime."""
    async with app("one") as one, app("two") as two, app("three") as three:
        apps = (endpoint(one), endpoint(two))
        service = Service("web", routes=HERE, policy=Policy(sticky="route"), endpoints=apps)
        async with run(series, service) as rendered:
            await rendered.add("s:web", server_for(service, endpoint(three), rendered))
            met = set()
            for _ in range(6):
                first = await rendered.ask()
                cookie, *flags = first.headers["set-cookie"].split("; ")
                assert "HttpOnly" in flags
                met.add(first.body)
                for _ in range(3):
                    again = await rendered.ask(headers={"Cookie": cookie})
                    assert again.body == first.body
                    assert "set-cookie" not in again.headers
            assert met == {"one", "two", "three"}


@every_version
async def test_checks_ask_for_the_services_own_path_and_host(series: str) -> None:
    """Path and Host come from maps, so that one profile serves every check; what is not well is taken out."""
    check = Check(kind="http", path="/health?a=1", host="h.test", status="200-299", expect="well", interval=0.1, fall=1)
    async with app("well") as well, app("bad: it is sick") as bad, app("well") as broken:
        broken.status = 500
        apps = (endpoint(well, "well"), endpoint(bad, "bad"), endpoint(broken, "broken"))
        service = Service("web", routes=HERE, policy=Policy(check=check), endpoints=apps)
        async with run(series, service) as rendered:
            for name, state in (("bad", "DOWN"), ("broken", "DOWN"), ("well", "UP")):
                await rendered.until_column("status", state, "s:web", name)
            asked = {(r.target, r.headers["host"], r.headers["user-agent"]) for r in well.requests}
            assert asked == {("/health?a=1", "h.test", "longshore")}
            assert {(await rendered.ask()).body for _ in range(6)} == {"well"}


@every_version
async def test_an_upgraded_connection_passes_data_both_ways(series: str) -> None:
    async with app("it") as it, run(series, Service("web", routes=HERE, endpoints=(endpoint(it),))) as rendered:
        reader, writer = await asyncio.open_connection("127.0.0.1", rendered.http)
        key = {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Version": "13"}
        answer = await exchange(reader, writer, "/ws", headers=key | {"Connection": "Upgrade", "Upgrade": "websocket"})
        assert answer.status == 101
        for word in (b"one", b"two"):
            writer.write(word)
            assert await reader.readexactly(3) == word
        writer.close()
        await writer.wait_closed()


@every_version
async def test_backups_serve_only_when_no_other_is_up(series: str) -> None:
    async with app("main") as main, app("spare") as spare:
        apps = (endpoint(main), replace(endpoint(spare), backup=True))
        async with run(series, Service("web", routes=HERE, endpoints=apps)) as rendered:
            assert {(await rendered.ask()).body for _ in range(4)} == {"main"}
            name = next(s.name for s, _ in rendered.layout.backends[0].servers)
            await rendered.command(f"set server s:web/{name} state maint")
            assert (await rendered.ask()).body == "spare"


@every_version
async def test_the_access_log_names_the_service(series: str) -> None:
    port = ports.free()
    async with app("it") as it:
        services = (
            Service("web", routes=HERE, endpoints=(endpoint(it),)),
            Service("db", "tcp", (Route(listen=f"127.0.0.1:{port}"),), endpoints=(endpoint(it),)),
        )
        async with run(series, *services, access_log=True) as rendered:
            await rendered.ask('/say?"hi"')
            await rendered.ask(host="no.test")
            await rendered.ask(port=port)
            lines = await eventually(lambda: _lines(rendered.output, 3), what="three lines of the access log")
            web, missing, db = (next(line for line in lines if mark in line) for mark in ("say", " 404 ", "tcp-"))
            assert web.endswith(" web")
            assert " http s:web/" in web
            assert " 200 " in web
            assert missing.endswith(" -")
            assert db.endswith(" db")


def _lines(file: Path, least: int) -> list[str]:
    lines = [line for line in file.read_text().splitlines() if line.startswith("127.0.0.1")]
    return lines if len(lines) >= least else []


@every_version
async def test_the_stats_page_and_the_exporter_answer_when_asked_for(series: str) -> None:
    port = ports.free()
    async with run(series, Service("web", routes=HERE), stats=f"127.0.0.1:{port}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"Statistics Report" in await reader.read()
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b'haproxy_backend_status{proxy="s:web"' in await reader.read()
        writer.close()
        await writer.wait_closed()
