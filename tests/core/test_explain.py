"""Where a request goes and why: the same answer as HAProxy's maps give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.explain import Explanation, Known, Seen, Tried, explain
from longshore.core.frontend import Bind, Frontend
from longshore.core.model import Endpoint, EndpointState, Mode, Policy, Problem, Route, Service

HTTP = Frontend("http", "http", (Bind(":80"),), "/state/maps/routes.map")
HTTPS = Frontend("https", "http", (Bind(":443", certificates="/certs"),), "/state/maps/routes.map")
OWN = Frontend("listen-8080", "http", (Bind(":8080"),), "/state/maps/listen-8080.map")
TCP = Frontend("tcp-5432", "tcp", (Bind(":5432"),), "tcp.map")


def endpoint(name: str, **more: Any) -> Endpoint:
    return Endpoint(f"{name}:80", name, "10.0.0.1", 80, **more)


def service(name: str, *routes: Route, mode: Mode = "http", **policy: Any) -> Service:
    return Service(name, mode, routes, Policy(**policy), (endpoint(f"{name}-1"), endpoint(f"{name}-2")))


SERVICES = (
    service("web", Route("a.test")),
    service("api", Route("a.test", "/api"), Route("only.test", "/x")),
    service("up", Route("a.test", "/api/up", exact=True)),
    service("wild", Route("*.test")),
    service("page", Route(listen=":8080")),
    service("db", Route(listen=":5432"), mode="tcp"),
)


def ask(url: str, *services: Service, **known: Any) -> Explanation:
    return explain(url, Known(services or SERVICES, (HTTP, HTTPS, OWN, TCP), **known))


@pytest.mark.parametrize(
    ("url", "frontend", "found"),
    [
        ("http://a.test/", "http", "web"),
        ("a.test", "http", "web"),
        ("A.Test./x?q=/api", "http", "web"),
        ("http://a.test/api", "http", "api"),
        ("http://a.test/api/x", "http", "api"),
        ("http://a.test/apix", "http", "web"),
        ("http://a.test/api/up", "http", "up"),
        ("http://a.test/api/up/x", "http", "api"),
        ("https://a.test/api", "https", "api"),
        ("http://a.test:443/api", "https", "api"),
        ("http://b.test", "http", "wild"),
        ("http://c.b.test/x", "http", "wild"),
        ("http://only.test/y", "http", "wild"),
        ("http://anything:8080/y", "listen-8080", "page"),
        ("http://[::1]:8080/y", "listen-8080", "page"),
        ("a.test:5432", "tcp-5432", "db"),
        (":5432", "tcp-5432", "db"),
        ("tcp://10.0.0.1:5432", "tcp-5432", "db"),
    ],
)
def test_a_request_finds_its_service(url: str, frontend: str, found: str) -> None:
    explanation = ask(url)
    assert (explanation.frontend, explanation.service, explanation.status) == (frontend, found, None)
    assert f'one of 2 endpoints of service "{found}"' in explanation.verdict


def test_every_look_up_is_told_and_the_route_that_won() -> None:
    explanation = ask("http://c.b.test/x")
    assert explanation.tried == (
        Tried("c.b.test/x/#"),
        Tried("*.b.test/x/#"),
        Tried("*.test/x/#", "*.test/"),
    )
    assert explanation.route == Route("*.test")


def test_an_unknown_host_is_404_and_similar_ones_are_named() -> None:
    explanation = ask("http://shpo.example.org/", service("shop", Route("shop.example.org")))
    assert explanation.status == 404
    assert explanation.verdict == "404: no service has the host shpo.example.org"
    assert "shop.example.org" in explanation.notes[0]
    assert explanation.tried[-1] == Tried("*//#")


def test_a_path_that_no_route_of_the_host_matches_is_404_and_the_others_are_named() -> None:
    explanation = ask("http://a.test/", service("api", Route("a.test", "/api")))
    assert explanation.status == 404
    assert "a.test has routes for /api" in explanation.notes


def test_a_404_shows_the_problems_that_name_the_host_and_no_other() -> None:
    ours = Problem("container x", 'label longshore.host=a.test: says no port; "a.test" waits')
    other = Problem("container y", "label longshore.host=aa.test: says no port")
    longer = Problem("container z", "label longshore.host=a.test.org: says no port")
    explanation = ask("http://a.test/", service("x"), problems=(ours, other, longer))
    assert explanation.problems == (ours,)


def test_a_port_where_nobody_listens_is_said_with_those_where_somebody_does() -> None:
    busy = Problem("service page", "cannot listen on :9000: nginx (pid 1) has it")
    explanation = ask("http://a.test:9000/", problems=(busy, Problem("x", "port :90000")))
    assert explanation.status is None
    assert explanation.verdict == "nothing listens for port 9000: the connection is refused"
    assert ":80 (http)" in explanation.notes[0]
    assert explanation.problems == (busy,)
    plain = explain("https://a.test/", Known(SERVICES, (HTTP,)))
    assert plain.verdict == "nothing listens for https: the connection is refused"


def test_a_service_without_endpoints_is_503() -> None:
    empty = replace(service("web", Route("a.test")), endpoints=())
    explanation = ask("a.test", empty)
    assert (explanation.status, explanation.verdict) == (503, '503: service "web" has no endpoint')
    assert "remembered" in ask("a.test", empty, kept={"web"}).verdict


def test_a_service_whose_endpoints_are_all_out_is_503_and_each_says_why() -> None:
    web = replace(
        service("web", Route("a.test")),
        endpoints=(
            endpoint("one"),
            endpoint("two", state=EndpointState.WAITING, reason="HEALTHCHECK is starting", since=5.0),
        ),
    )
    explanation = ask("a.test", web, seen={("web", "one:80"): Seen("checking", "connection refused")})
    assert (explanation.status, explanation.verdict) == (503, '503: service "web" has no endpoint that is up, of 2')
    assert [(each.name, each.address, each.seen) for each in explanation.endpoints] == [
        ("one", "10.0.0.1:80", Seen("checking", "connection refused")),
        ("two", "10.0.0.1:80", Seen("waiting", "HEALTHCHECK is starting", 5.0)),
    ]


def test_hold_is_said() -> None:
    empty = replace(service("web", Route("a.test"), hold=10.0), endpoints=())
    assert "requests wait up to 10 s for one, then 503" in ask("a.test", empty).verdict


def test_only_endpoints_that_get_requests_count() -> None:
    web = service("web", Route("a.test"))
    main, spare, off = endpoint("main"), endpoint("spare", backup=True), endpoint("off", weight=0)
    web = replace(web, endpoints=(main, spare, off))
    assert "endpoint main of" in ask("a.test", web).verdict
    down = ask("a.test", web, seen={("web", "main:80"): Seen("down", "connection refused")})
    assert "endpoint spare of" in down.verdict
    assert "a backup" in down.verdict


def test_tcp_without_endpoints_or_service_closes_the_connection() -> None:
    empty = replace(SERVICES[-1], endpoints=())
    assert ask(":5432", empty).verdict == 'service "db" has no endpoint: the connection is closed'
    assert "no service has this port" in ask(":5432", SERVICES[0]).verdict


def test_a_port_of_its_own_knows_no_other_routes_though_its_service_is_gone() -> None:
    assert ask("http://a.test:8080/", SERVICES[0]).status == 404


def test_what_the_policy_answers_instead_of_the_service_is_said() -> None:
    assert ask("http://a.test/", service("web", Route("a.test"), redirect_https=True)).status == 308
    assert ask("http://a.test/", service("web", Route("a.test"), tls=True)).status == 404
    assert ask("https://a.test/", service("web", Route("a.test"), tls=True, redirect_https=True)).status is None
    assert "401" in ask("http://a.test/", service("web", Route("a.test"), auth=("me:$6$x",))).notes[0]


def test_problems_of_the_service_and_of_those_who_wanted_its_route_are_shown() -> None:
    own = Problem("container web-3", "has no address", service="web")
    rival = Problem("service b", 'route a.test/ is already taken by service "web"', service="b")
    other = Problem("service c", 'route a.test/c is already taken by service "d"', service="c")
    assert ask("a.test", problems=(own, rival, other)).problems == (own, rival)


@pytest.mark.parametrize(
    "url", ["", "http://", "ftp://a.test/", "a b", "http://a.test:x/", "http://a.test:99999/", "/x"]
)
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="no URL"):
        ask(url)


def test_ipv6_endpoints_are_written_with_brackets() -> None:
    web = replace(service("web", Route("a.test")), endpoints=(Endpoint("x", "x", "fd00::3", 8000),))
    assert ask("a.test", web).endpoints[0].address == "[fd00::3]:8000"
