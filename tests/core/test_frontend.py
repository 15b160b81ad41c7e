"""Frontends listen as they were told and look up what maps say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.core.capabilities import TYPICAL
from longshore.core.frontend import Bind, Frontend
from longshore.core.render import Layout, Paths, Process, maps_of, render

PATHS = Paths("/var/lib/longshore")
HTTP = Frontend("http", "http", (Bind(":80"),), PATHS.route_map(""))


def text(*frontends: Frontend, access_log: bool = False) -> str:
    return render(Layout(Process(PATHS, access_log=access_log), frontends), TYPICAL[2, 6])


@pytest.mark.parametrize(
    ("bind", "line"),
    [
        (Bind(":80"), "bind :80"),
        (Bind("127.0.0.1:80"), "bind 127.0.0.1:80"),
        (Bind("[::]:80"), "bind [::]:80 v4v6"),
        (Bind(":80", proxy_protocol=True), "bind :80 accept-proxy"),
        (Bind(":443", "/certs"), "bind :443 ssl crt /certs alpn h2,http/1.1"),
        (Bind(":443", "/certs dir", strict_sni=True), "bind :443 ssl crt '/certs dir' alpn h2,http/1.1 strict-sni"),
        (Bind(":80", options=("interface", "eth 0")), "bind :80 interface 'eth 0'"),
    ],
)
def test_binds(bind: Bind, line: str) -> None:
    assert f"    {line}\n" in text(replace(HTTP, binds=(bind,)))


def test_ipv6_leaves_ipv4_to_the_bind_that_has_the_same_port() -> None:
    said = text(replace(HTTP, binds=(Bind(":80"), Bind("[::]:80"), Bind("[::]:81"))))
    assert "bind [::]:80 v6only" in said
    assert "bind [::]:81 v4v6" in said


def test_tcp_over_tls_offers_no_http() -> None:
    said = text(Frontend("tcp-5432", "tcp", (Bind(":5432", "/certs"),), PATHS.tcp_map))
    assert "bind :5432 ssl crt /certs\n" in said


@pytest.mark.parametrize(("address", "port"), [("", ""), (":443", ""), (":8443", ":8443"), ("[::1]:9443", ":9443")])
def test_redirections_lead_to_the_port_of_the_first_tls_frontend(address: str, port: str) -> None:
    secure = Frontend("https", "http", (Bind(address, "/certs"),), PATHS.route_map(""))
    said = text(HTTP, secure) if address else text(HTTP)
    assert said.count(f'set-var(txn.https_port) "str({port})"') == (2 if address else 1)


def test_every_map_that_is_read_is_named() -> None:
    own = Frontend("listen-8080", "http", (Bind(":8080"),), PATHS.route_map("listen-8080"))
    layout = Layout(Process(PATHS, access_log=True), (HTTP, own))
    said = render(layout, TYPICAL[2, 6])
    for file in {PATHS.route_map(""), PATHS.route_map("listen-8080"), PATHS.service_map}:
        assert file in said
        assert file in maps_of(layout)


def test_the_access_log_is_off_unless_asked_for() -> None:
    assert "log" not in text(HTTP).split()
    assert "log-format" in text(HTTP, access_log=True)


@pytest.mark.parametrize(
    "frontend",
    [
        replace(HTTP, name="a b"),
        replace(HTTP, name="a\nb"),
        replace(HTTP, map="/a b"),
        replace(HTTP, map="/a,b)"),
        replace(HTTP, binds=(Bind(":80\n mode tcp"),)),
        replace(HTTP, binds=(Bind(":80", "/certs\nx"),)),
        replace(HTTP, binds=(Bind(":80", options=("a\nb",)),)),
    ],
)
def test_nothing_breaks_out_of_its_line(frontend: Frontend) -> None:
    with pytest.raises(ValueError, match=r"."):
        text(frontend)
