"""Services of containers: one table of what containers say and what services come of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.address import Here
from longshore.core.build import Options, build
from longshore.core.containers import Container, Machine, Network
from longshore.core.model import Endpoint, EndpointState, Policy, Problem, Route, Service
from tests.core.made import compose, container, published

OPTIONS = Options("docker")
ALL = Options("docker", expose="all")


def services(*containers: Container, options: Options = OPTIONS) -> dict[str, Service]:
    found, problems = build(containers, options)
    assert problems == ()
    return {service.name: service for service in found}


def problems(*containers: Container, options: Options = OPTIONS) -> list[Problem]:
    return list(build(containers, options)[1])


def routes(*containers: Container, options: Options = OPTIONS) -> dict[str, list[Route]]:
    return {name: list(service.routes) for name, service in services(*containers, options=options).items()}


def test_a_labelled_container_is_a_service_with_one_endpoint() -> None:
    found = services(container("web-1", 1, {"host": "a.test", "weight": "50"}, since=7.0))
    assert found == {
        "app": Service(
            "app",
            "http",
            (Route("a.test"),),
            Policy(),
            (
                Endpoint(
                    id="000000000001:8000",
                    name="web-1",
                    address="172.17.0.1",
                    port=8000,
                    weight=50,
                    reason="network bridge, on this host",
                    since=7.0,
                ),
            ),
            ("docker",),
        )
    }


def test_replicas_share_a_service_in_the_order_they_were_created() -> None:
    raw = compose("shop", "web")
    found = services(*(container(f"web-{n}", n, {"enable": "true"}, raw_labels=raw) for n in (3, 1, 2)))
    assert [endpoint.name for endpoint in found["shop-web"].endpoints] == ["web-1", "web-2", "web-3"]
    assert found["shop-web"].routes == (Route("shop-web.localhost"),)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"enable": "true"}, {"app": [Route("app.localhost")]}),
        ({"path": "/api"}, {"app": [Route("*", "/api")]}),
        ({"service": "Web", "port": "8000"}, {"Web": [Route("web.localhost")]}),
        ({"listen": ":81"}, {"app": [Route(listen=":81")]}),
        ({"tcp": "5432"}, {"app": [Route(listen=":5432")]}),
        (
            {"api.path": "/api", "admin.port": "9000"},
            {"api": [Route("*", "/api")], "admin": [Route("admin.localhost")]},
        ),
        ({"api.enable": "false", "admin.host": "b.test"}, {"admin": [Route("b.test")]}),
        ({"enable": "false", "host": "a.test"}, {}),
        ({}, {}),
    ],
)
def test_labels_to_routes(labels: dict[str, str], expected: dict[str, list[Route]]) -> None:
    assert routes(container("web-1", 1, labels)) == expected


def test_expose_all_takes_what_has_a_port_and_leaves_the_rest_in_peace() -> None:
    found = services(
        container("web-1", 1),
        container("job-1", 2, exposed=(), image="job"),
        container("off-1", 3, {"enable": "false"}, image="off"),
        options=ALL,
    )
    assert list(found) == ["app"]


def test_the_balancer_and_one_off_containers_are_no_services() -> None:
    """`docker compose run web sh` carries the labels of web, and must not get its traffic."""
    one_off = compose("shop", "web") | {"com.docker.compose.oneoff": "True"}
    me = container("longshore", 1)
    options = Options("docker", expose="all", here=Here(container=me.id))
    assert services(me, container("web-run-1", 2, {"enable": "true"}, raw_labels=one_off), options=options) == {}


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({}, EndpointState.READY, ""),
        ({"health": "healthy"}, EndpointState.READY, "healthy"),
        ({"health": "starting"}, EndpointState.WAITING, "HEALTHCHECK is starting"),
        ({"health": "unhealthy"}, EndpointState.WAITING, "HEALTHCHECK is unhealthy"),
        ({"status": "paused"}, EndpointState.WAITING, "the container is paused"),
        ({"status": "restarting"}, EndpointState.WAITING, "the container is restarting"),
        ({"stopping": True}, EndpointState.STOPPING, "stop signal"),
        ({"stopping": True, "health": "unhealthy"}, EndpointState.STOPPING, "stop signal"),
    ],
)
def test_states(fields: dict[str, Any], state: EndpointState, reason: str) -> None:
    (endpoint,) = services(container("web-1", 1, {"enable": "true"}, **fields))["app"].endpoints
    assert endpoint.state is state
    assert reason in endpoint.reason


@pytest.mark.parametrize("status", ["created", "exited", "dead", "removing"])
def test_what_does_not_run_has_no_endpoint(status: str) -> None:
    assert services(container("web-1", 1, {"enable": "true"}, status=status)) == {}


@pytest.mark.parametrize("fields", [{"status": "restarting"}, {"stopping": True}])
def test_between_two_starts_the_service_stays_without_the_endpoint(fields: dict[str, Any]) -> None:
    """Its container has no address then: requests get 503 or wait, not 404, and nobody is bothered."""
    found = services(container("web-1", 1, {"host": "a.test"}, networks=(Network("bridge", "n0"),), **fields))
    assert found["app"].endpoints == ()


PROBLEMS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "several ports",
        {"exposed": ((80, "tcp"), (81, "tcp"), (82, "udp"))},
        "has several TCP ports: 80 or 81",
        "longshore.port=80",
    ),
    ("no port", {"exposed": ((53, "udp"),)}, "says no port", "longshore.port=8000"),
    ("no address", {"networks": ()}, "no address can be reached", "publish port 8000"),
    ("unknown key", {"labels": {"wieght": "5"}}, "label longshore.wieght: unknown key; did you mean weight?", ""),
    ("unknown key of a service", {"labels": {"api.hosst": "a"}}, "label longshore.api.hosst: unknown key", ""),
    ("bad value", {"labels": {"port": "x"}}, 'label longshore.port: "x" is not a port', ""),
    (
        "contradiction",
        {"labels": {"tcp": "1", "host": "a.test"}},
        "label longshore.host: has no meaning",
        "remove host",
    ),
    ("injection", {"labels": {"host": "a.test\nbackend x"}}, "label longshore.host: contains the control", "one line"),
    ("size", {"labels": {"host": "a" * 65536}}, "label longshore.host: is 65,536 characters long", ""),
]


@pytest.mark.parametrize("row", PROBLEMS, ids=[row[0] for row in PROBLEMS])
def test_a_bad_container_is_said_and_harms_no_other(row: tuple[str, dict[str, Any], str, str]) -> None:
    _, fields, what, hint = row
    fields = {"labels": {"host": "a.test"}, **fields}
    good = container("good-1", 9, {"host": "a.test"})
    found, (problem,) = build([container("bad-1", 1, **fields), good], OPTIONS)
    assert [endpoint.name for service in found for endpoint in service.endpoints] == ["good-1"]
    assert problem.where == "container bad-1"
    assert what in problem.what
    assert hint in problem.hint


def test_one_bad_service_of_a_container_leaves_its_others() -> None:
    labels = {"api.host": "a.test", "web.wieght": "5"}
    found, (problem,) = build([container("web-1", 1, labels)], OPTIONS)
    assert [service.name for service in found] == ["api"]
    assert "longshore.web.wieght" in problem.what


def test_the_newest_that_is_ready_decides_and_the_others_are_told() -> None:
    old = container("web-1", 1, {"service": "web", "host": "a.test", "check": "/old"})
    new = container("web-2", 2, {"service": "web", "host": "b.test", "check": "/new"})
    found, (problem,) = build([new, old], OPTIONS)
    assert found[0].routes == (Route("b.test"),)
    assert found[0].policy.check.path == "/new"
    assert len(found[0].endpoints) == 2
    assert problem == Problem(
        "container web-1",
        "says something else of service web than container web-2, which is newer and decides: "
        "longshore.check, longshore.host",
        "make them equal, or name another service with longshore.service",
        "web",
    )


@pytest.mark.parametrize("fields", [{"health": "starting"}, {"stopping": True}])
def test_a_newer_one_that_is_not_ready_does_not_decide_yet(fields: dict[str, Any]) -> None:
    """Its check would take the old ones down before it can serve itself."""
    old = container("web-1", 1, {"service": "web", "check": "/old"})
    new = container("web-2", 2, {"service": "web", "check": "/new"}, **fields)
    found, (problem,) = build([new, old], OPTIONS)
    assert found[0].policy.check.path == "/old"
    assert problem.where == "container web-2"
    assert "which is ready and decides" in problem.what


def test_endpoints_of_one_service_may_differ_in_what_is_about_the_endpoint() -> None:
    found = services(
        container("web-1", 1, {"service": "web", "weight": "10"}),
        container("web-2", 2, {"service": "web", "backup": "true", "port": "9000"}),
    )
    assert [(one.weight, one.backup, one.port) for one in found["web"].endpoints] == [
        (10, False, 8000),
        (100, True, 9000),
    ]


def test_containers_of_one_image_with_other_routes_are_other_services() -> None:
    found = routes(
        container("a-1", 1, {"host": "a.test"}),
        container("a-2", 2, {"host": "a.test"}),
        container("b-1", 3, {"host": "b.test"}),
        container("c-1", 4, {"enable": "true"}),
    )
    assert found == {
        "app-a.test": [Route("a.test")],
        "app-b.test": [Route("b.test")],
        "app": [Route("app.localhost")],
    }


def test_containers_that_name_their_service_are_never_split() -> None:
    found, found_problems = build(
        [container("a-1", 1, {"service": "app", "host": "a.test"}), container("b-1", 2, {"host": "b.test"})], OPTIONS
    )
    assert [service.name for service in found] == ["app", "app-b.test"]
    assert found_problems == ()


def test_two_groups_that_come_to_one_name() -> None:
    """A name told by the image gives way to the same name said by a label."""
    found, (problem,) = build(
        [
            container("a-1", 1, {"host": "a.test"}),
            container("b-1", 2, {"host": "b.test"}),
            container("x-1", 3, {"service": "app-a.test", "host": "x.test"}),
        ],
        OPTIONS,
    )
    assert {service.name: service.routes[0].host for service in found} == {
        "app-a.test": "x.test",
        "app-b.test": "b.test",
    }
    assert problem.where == "service app-a.test"
    assert "those of app are left out" in problem.what


def test_a_container_in_anothers_network_is_reached_there() -> None:
    """network_mode: service:vpn in a Compose file."""
    vpn = container("vpn-1", 1, exposed=(), networks=(Network("bridge", "n0", "172.17.0.9"),))
    app = container("app-1", 2, {"host": "a.test"}, networks=(), network_mode=f"container:{vpn.id}")
    (endpoint,) = services(vpn, app)["app"].endpoints
    assert (endpoint.address, endpoint.name) == ("172.17.0.9", "app-1")
    assert "no address" in problems(app)[0].what


def test_a_port_that_only_the_network_owner_publishes_is_found() -> None:
    vpn = container("vpn-1", 1, exposed=(), networks=(), published=published(9000, 81))
    app = container("app-1", 2, {"host": "a.test"}, networks=(), exposed=(), network_mode=f"container:{vpn.id}")
    (endpoint,) = services(vpn, app)["app"].endpoints
    assert (endpoint.id, endpoint.address, endpoint.port) == ("000000000002:9000", "127.0.0.1", 81)


def test_containers_of_the_local_engine_are_on_its_host() -> None:
    """A label says another zone."""
    local = replace(OPTIONS, machine=Machine("h1", zone="a"))
    said = container("said", 2, {"port": "80", "zone": "c"})
    found = services(container("here", 1, {"port": "80"}), said, options=local)
    endpoints = [endpoint for service in found.values() for endpoint in service.endpoints]
    assert {e.name: (e.host, e.zone) for e in endpoints} == {"here": ("h1", "a"), "said": ("h1", "c")}
