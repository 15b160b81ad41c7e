"""Services of a Swarm: what a manager answers, and what services come of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.conditions import Condition
from longshore.core.drafts import OperatorService
from longshore.core.model import Endpoint, EndpointState, Policy, Route, Service
from longshore.core.spec import Spec
from tests.core.swarm_made import (
    INSIDE,
    OUTSIDE,
    endpoints_of,
    network,
    node,
    port,
    service,
    services_of,
    swarm,
    task,
)

READY, WAITING, STOPPING = EndpointState.READY, EndpointState.WAITING, EndpointState.STOPPING
WEB = {"host": "a.test", "port": "8000"}
HOST_PORT = [port(8000, "host", published=32768)]


def test_a_labelled_service_has_an_endpoint_for_each_task() -> None:
    made = swarm([service("web", WEB)], [task("web", 1, "h1"), task("web", 2, "h2")])
    first = Endpoint(
        id="web.1:8000",
        name="web.1",
        address="10.77.0.1",
        port=8000,
        reason="network front, shared with the balancer",
        since=1777629600.5,
        host="h1",
    )
    second = replace(first, id="web.2:8000", name="web.2", address="10.77.0.2", host="h2")
    assert services_of(made) == {
        "web": Service("web", "http", (Route("a.test"),), Policy(), (first, second), ("swarm",))
    }


@pytest.mark.parametrize("mode", ["vip", "dnsrr"])
def test_the_virtual_address_of_a_service_is_never_used(mode: str) -> None:
    document = service("web", WEB, mode=mode) | {
        "Endpoint": {"VirtualIPs": [{"NetworkID": "net-front", "Addr": "10.77.0.250/24"}]}
    }
    networks = [network("ingress", "10.0.0.6", ingress=True), network("front", "10.77.0.3")]
    made = swarm([document], [task("web", networks=networks)])
    assert [endpoint.address for endpoint in endpoints_of(made).values()] == ["10.77.0.3"]


def test_a_service_without_tasks_is_a_service_without_endpoints() -> None:
    assert services_of(swarm([service("web", WEB, copies=0)], []))["web"].endpoints == ()


@pytest.mark.parametrize(
    ("labels", "container_labels", "host", "weight"),
    [
        (WEB, {}, "a.test", 100),
        ({}, {"longshore.host": "c.test", "longshore.port": "8000"}, "c.test", 100),
        ({"host": "s.test"}, {"longshore.host": "c.test", "longshore.port": "8000"}, "s.test", 100),
        ({"weight": "7"}, {"longshore.host": "c.test", "longshore.port": "8000", "longshore.weight": "9"}, "c.test", 7),
    ],
)
def test_labels_of_the_service_win_over_those_of_its_containers(
    labels: dict[str, str], container_labels: dict[str, str], host: str, weight: int
) -> None:
    made = swarm([service("web", labels, container_labels=container_labels)], [task("web")])
    (endpoint,) = endpoints_of(made).values()
    assert (services_of(made)["web"].routes, endpoint.weight) == ((Route(host),), weight)


def test_only_labelled_services_unless_all_that_publish_a_port_are_asked_for() -> None:
    documents = [
        service("plain"),
        service("open", ports=[port(8000)]),
        service("off", {"enable": "false"}, ports=[port(8000)]),
        service("udp", ports=[port(53, protocol="udp")]),
    ]
    tasks = [task(name, number=n) for n, name in enumerate(["plain", "open", "off", "udp"], 1)]
    assert services_of(swarm(documents, tasks)) == {}
    found = services_of(swarm(documents, tasks, options=replace(INSIDE, expose="all")))
    assert {name: found[name].routes for name in found} == {"open": (Route("open.localhost"),)}


def test_several_services_of_one_and_one_of_several() -> None:
    several = {"a.host": "a.test", "a.port": "8000", "b.tcp": ":5432", "b.port": "5432"}
    found = services_of(swarm([service("app", several)], [task("app")]))
    assert {name: [e.port for e in found[name].endpoints] for name in found} == {"a": [8000], "b": [5432]}
    blue, green = service("blue", WEB | {"service": "web"}), service("green", WEB | {"service": "web", "weight": "5"})
    found = services_of(swarm([blue, green], [task("blue", number=1), task("green", number=2)]))
    assert [(e.name, e.weight) for e in found["web"].endpoints] == [("blue.1", 100), ("green.1", 5)]


def test_services_that_differ_are_said_and_the_newest_decides() -> None:
    old = service("old", {"service": "web", "host": "old.test", "port": "8000"}, created="2026-01-01T00:00:00Z")
    new = service("new", {"service": "web", "host": "new.test", "port": "8000"}, created="2026-02-01T00:00:00Z")
    made = swarm([new, old], [task("old", number=1), task("new", number=2)])
    (found,), (problem,) = made.build()
    assert (found.routes, len(found.endpoints)) == ((Route("new.test"),), 2)
    assert problem.where == "swarm service old"
    assert "than swarm service new, which is newer and decides" in problem.what


@pytest.mark.parametrize(
    ("picked", "there"),
    [
        ({"service": "web"}, True),
        ({"image": "local/app"}, True),
        ({"labels": (Condition("tier", "web"),)}, True),
        ({"image": "x"}, False),
    ],
)
def test_the_operator_picks_services_that_carry_no_labels(picked: dict[str, Any], there: bool) -> None:
    operator = OperatorService("shop", Spec(host=("shop.test",)), port=8000, **picked)
    document = service("web", raw={"tier": "web"}, image="local/app:1@sha256:00")
    made = swarm([document], [task("web")], options=replace(INSIDE, operator=(operator,)))
    found = services_of(made)["shop"]
    assert (found.routes, len(found.endpoints)) == ((Route("shop.test"),), int(there))


def test_a_problem_of_one_service_harms_no_other() -> None:
    made = swarm([service("web", WEB), service("bad", {"port": "x"})], [task("web", 1), task("bad", number=2)])
    (found,), (problem,) = made.build()
    assert (found.name, problem.where) == ("web", "swarm service bad")


STATES = [
    ("new", "", None),
    ("pending", "", None),
    ("assigned", "h1", WAITING),
    ("preparing", "h1", WAITING),
    ("starting", "h1", WAITING),
    ("running", "h1", READY),
    *((state, "h1", None) for state in ("complete", "failed", "shutdown", "rejected", "remove", "orphaned")),
]


@pytest.mark.parametrize(("state", "where", "expected"), STATES)
def test_only_tasks_that_run_get_traffic(state: str, where: str, expected: EndpointState | None) -> None:
    found = endpoints_of(swarm([service("web", WEB)], [task("web", 1, where, state=state)]))
    assert [endpoint.state for endpoint in found.values()] == ([expected] if expected else [])


def test_a_port_that_the_engine_has_yet_to_choose_is_no_problem() -> None:
    document = service("web", WEB, ports=[port(8000, "host")])
    assert endpoints_of(swarm([document], [task("web", state="preparing")], options=OUTSIDE)) == {}


def test_the_balancer_itself_is_never_an_endpoint() -> None:
    made = swarm([service("web", WEB)], [task("web", 1), task("web", 2, container="f" * 64)])
    assert list(endpoints_of(made)) == ["web.1"]


@pytest.mark.parametrize("document", [{}, {"ID": 5}, {"ID": "x", "Spec": {"Labels": {"longshore.port": "8000"}}}])
def test_documents_that_cannot_be_read_harm_no_other(document: dict[str, Any]) -> None:
    made = swarm([service("web", WEB), document], [task("web"), document], [node("h1"), document])
    services, problems = made.build()
    assert [len(each.endpoints) for each in services if each.name == "web"] == [1]
    assert all("cannot be read" in problem.what for problem in problems)
