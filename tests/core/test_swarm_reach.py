"""Where a task of a Swarm is reached, and what is said when it cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.address import Here
from tests.core.swarm_made import INSIDE, OUTSIDE, endpoints_of, network, node, port, problems_of, service, swarm, task

WEB = {"host": "a.test", "port": "8000"}
HOST_PORT = [port(8000, "host", published=32768)]


ADDRESSES: dict[str, tuple[dict[str, Any], dict[str, Any], Any, tuple[str, int, str]]] = {
    "a shared network": ({}, {}, INSIDE, ("10.77.0.1", 8000, "network front, shared with the balancer")),
    "the stack's own network first": (
        {"raw": {"com.docker.stack.namespace": "zoo"}},
        {"networks": [network("alpha", "10.78.0.1"), network("zoo_default", "10.79.0.1")]},
        replace(INSIDE, here=Here(networks=frozenset({"alpha", "zoo_default"}))),
        ("10.79.0.1", 8000, "network zoo_default, shared with the balancer"),
    ),
    "the network that is said": (
        {"labels": {"network": "alpha"}},
        {"networks": [network("alpha", "10.78.0.1"), network("front", "10.77.0.1")]},
        replace(INSIDE, here=Here(networks=frozenset({"net-alpha", "net-front"}))),
        ("10.78.0.1", 8000, "network alpha, shared with the balancer"),
    ),
    "the network that is said, without the stack's prefix": (
        {"labels": {"network": "alpha"}, "raw": {"com.docker.stack.namespace": "zoo"}},
        {"networks": [network("zoo_alpha", "10.78.0.1"), network("front", "10.77.0.1")]},
        replace(INSIDE, here=Here(networks=frozenset({"zoo_alpha", "front"}))),
        ("10.78.0.1", 8000, "network zoo_alpha, shared with the balancer"),
    ),
    "IPv4 before IPv6": (
        {},
        {"networks": [network("front", "fd00::1", "10.77.0.1")]},
        INSIDE,
        ("10.77.0.1", 8000, "network front, shared with the balancer"),
    ),
    "a port of the node, from outside": (
        {},
        {"ports": [*HOST_PORT, *HOST_PORT]},
        OUTSIDE,
        ("10.0.0.1", 32768, "port 32768 published on node h1"),
    ),
    "a port of the node, as said": (
        {"labels": {"address": "published"}},
        {"ports": HOST_PORT},
        INSIDE,
        ("10.0.0.1", 32768, "port 32768 published on node h1"),
    ),
    "the node's own network": (
        {},
        {"networks": [network("host")]},
        OUTSIDE,
        ("10.0.0.1", 8000, "the network of node h1"),
    ),
    "the node, as said": (
        {"labels": {"address": "host"}},
        {},
        INSIDE,
        ("10.0.0.1", 8000, "the address of node h1, as said"),
    ),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_where_a_task_is_reached(case: str) -> None:
    said, more, options, expected = ADDRESSES[case]
    document = service("web", WEB | said.get("labels", {}), raw=said.get("raw", {}))
    (endpoint,) = endpoints_of(swarm([document], [task("web", **more)], options=options)).values()
    assert (endpoint.address, endpoint.port, endpoint.reason) == expected
    assert endpoint.proxied == (endpoint.port == 32768)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "10.0.0.1"),
        ({"address": "0.0.0.0", "manager": "10.0.0.9:2377"}, "10.0.0.9"),
        ({"labels": {"longshore.address": "192.0.2.1"}}, "192.0.2.1"),
        ({"address": "fd00::5"}, "fd00::5"),
    ],
)
def test_the_address_of_a_node(said: dict[str, Any], expected: str) -> None:
    made = swarm([service("web", WEB)], [task("web", ports=HOST_PORT)], [node("h1", **said)], options=OUTSIDE)
    assert [endpoint.address for endpoint in endpoints_of(made).values()] == [expected]


def test_host_and_zone_come_from_the_node_unless_the_service_says_its_zone() -> None:
    nodes = [node("h1", labels={"longshore.zone": "east"})]
    (endpoint,) = endpoints_of(swarm([service("web", WEB)], [task("web")], nodes)).values()
    assert (endpoint.host, endpoint.zone) == ("h1", "east")
    (endpoint,) = endpoints_of(swarm([service("web", WEB | {"zone": "west"})], [task("web")], nodes)).values()
    assert endpoint.zone == "west"


TROUBLES: dict[str, tuple[dict[str, Any], dict[str, Any], Any, str, str]] = {
    "no shared network": (
        {},
        {},
        OUTSIDE,
        "no address can be reached: its tasks are in network front, and port 8000 is not published with mode=host",
        "docker service update --network-add front BALANCER, or publish the port on the nodes: --publish mode=host",
    ),
    "only the ingress": (
        {"ports": [port(8000)]},
        {"networks": [network("ingress", "10.0.0.6", ingress=True)]},
        INSIDE,
        "its tasks are in no network, and port 8000 is published through the ingress, which leads to any task",
        "publish the port on the nodes: --publish mode=host,target=8000",
    ),
    "another network is said": (
        {"labels": {"network": "back"}},
        {},
        INSIDE,
        "is not in network back: its tasks are in network front",
        "docker service update --network-add back web",
    ),
    "a network that is not shared is said": (
        {"labels": {"network": "front"}},
        {},
        OUTSIDE,
        "network front is not shared with the balancer",
        "docker service update --network-add front BALANCER",
    ),
    "published, but it is not": (
        {"labels": {"address": "published"}},
        {},
        INSIDE,
        "address is published, but its tasks are in network front, and port 8000 is not published with mode=host",
        "--publish mode=host,target=8000",
    ),
    "one address for all": (
        {"labels": {"address": "192.0.2.1"}},
        {},
        INSIDE,
        "address 192.0.2.1:8000 cannot be that of every task",
        "say published or host",
    ),
    "the node's address is unknown": (
        {"ports": [port(8000, "host")]},
        {"where": "h9", "ports": HOST_PORT},
        OUTSIDE,
        "its tasks are in network front, and no address of node id-h9 is known",
        "attach the balancer",
    ),
    "no port": (
        {"labels": {"port": None}},
        {},
        INSIDE,
        "says no port: it publishes none, and a Swarm does not tell what images expose",
        "say the container's port: longshore.port=8000",
    ),
    "several ports": (
        {"labels": {"port": None}, "ports": [port(8000), port(9000)]},
        {},
        INSIDE,
        "publishes several TCP ports: 8000 or 9000",
        "say which: longshore.port=8000",
    ),
    "a wrong label": (
        {"labels": {"wieght": "5"}},
        {},
        INSIDE,
        "label longshore.wieght: unknown key; did you mean weight?",
        "",
    ),
}


@pytest.mark.parametrize("case", TROUBLES)
def test_what_cannot_be_served_is_said_once_with_the_cure(case: str) -> None:
    said, more, options, what, hint = TROUBLES[case]
    pairs = {key: value for key, value in (WEB | said.get("labels", {})).items() if value is not None}
    document = service("web", pairs, ports=said.get("ports", []))
    made = swarm([document], [task("web", 1, **({"where": "h1"} | more)), task("web", 2, **more)], options=options)
    (problem,) = problems_of(made)
    assert problem.where == "swarm service web"
    assert what in problem.what.replace("h2", "h1")
    assert hint in problem.hint
