"""Services said by the operator: made of containers that carry no labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from longshore.core import spec
from longshore.core.build import OperatorService, Options, build
from longshore.core.conditions import read as condition
from longshore.core.containers import Container
from longshore.core.model import Route, Service
from tests.core.made import compose, container


def operator(name: str, pairs: Mapping[str, object], **match: Any) -> Options:
    said, faults = spec.check(pairs)
    assert said is not None, faults
    labels = tuple(map(condition, match.pop("labels", ())))
    return Options("docker", operator=(OperatorService(name, said, labels=labels, **match),))


def built(*containers: Container, options: Options) -> dict[str, Service]:
    return {service.name: service for service in build(containers, options)[0]}


OPERATOR = {"listen": ":8080", "check": "/", "check-expect": "Hello"}


@pytest.mark.parametrize(
    "match",
    [
        {"image": "local/nodeapp"},
        {"labels": ["tier"]},
        {"labels": ["tier=web"]},
        {"labels": ["tier=web", "tier", "kind!=batch"]},
        {"service": "shop-node"},
        {"service": "node"},
        {"image": "local/nodeapp:3", "labels": ["tier=web"], "service": "node"},
    ],
)
def test_the_operators_service_takes_containers_without_labels(match: dict[str, Any]) -> None:
    raw = compose("shop", "node") | {"tier": "web"}
    plain = container("node-1", 1, image="local/nodeapp:3", raw_labels=raw)
    found = built(plain, container("other-1", 2), options=operator("nodesrv", OPERATOR, **match))
    assert list(found) == ["nodesrv"]
    assert found["nodesrv"].routes == (Route(listen=":8080"),)
    assert found["nodesrv"].policy.check.expect == "Hello"
    assert [endpoint.name for endpoint in found["nodesrv"].endpoints] == ["node-1"]


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"image": "local/app:2"},
        {"labels": ["tier=db"]},
        {"labels": ["tier", "tier!=web"]},
        {"service": "web"},
        {"image": "local/app", "labels": ["x"]},
    ],
)
def test_all_that_the_operator_says_must_match(match: dict[str, Any]) -> None:
    found = built(container("web-1", 1, raw_labels={"tier": "web"}), options=operator("s", {}, **match))
    assert found["s"].endpoints == ()


def test_the_operators_service_exists_before_its_first_container() -> None:
    """So its address is listened on from the start, and its visitors get 503, not 404."""
    found = built(options=operator("nodesrv", OPERATOR, image="local/nodeapp"))
    assert found["nodesrv"].routes == (Route(listen=":8080"),)


def test_the_operators_port_and_how_to_say_it() -> None:
    two = container("node-1", 1, exposed=((80, "tcp"), (81, "tcp")))
    _, (problem,) = build([two], operator("nodesrv", {}, image="local/app"))
    assert problem.hint == "say which: services.nodesrv.from.port: 80"
    found = built(two, options=operator("nodesrv", {}, image="local/app", port=81))
    assert found["nodesrv"].endpoints[0].port == 81


def test_the_operator_decides_over_labels_but_not_over_enable_false() -> None:
    options = operator("web", {"host": "a.test"}, image="local/app")
    found, (problem,) = build([container("web-1", 1, {"service": "web", "host": "b.test"})], options)
    assert found[0].routes == (Route("a.test"),)
    assert "than the configuration, which decides: longshore.host" in problem.what
    assert built(container("web-1", 1, {"enable": "false"}), options=options)["web"].endpoints == ()


def test_an_operators_service_is_not_exposed_a_second_time() -> None:
    options = Options("docker", expose="all", operator=operator("web", {}, image="local/app").operator)
    assert list(built(container("web-1", 1), options=options)) == ["web"]
