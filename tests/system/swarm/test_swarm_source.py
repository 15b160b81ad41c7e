"""The source `swarm` on a real Swarm of three machines, with the manager's socket alone, under load.

This kernel cannot carry traffic to virtual addresses and through the ingress: services with a VIP are tested by their
tasks' addresses, which is all that longshore ever uses; that the ingress itself works is nobody's claim here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.contained import BoxedBalancer
from tests.lab.load import Load
from tests.lab.nodes import Node
from tests.lab.swarm import FRONT, Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system

Start = Callable[..., BoxedBalancer]
LABELS = {"longshore.host": "a.test", "longshore.port": "8000"}


def load(balancer: BoxedBalancer, rate: float = 100, **options: Any) -> Load:
    return Load(port=balancer.port, address=balancer.address, host="a.test", rate=rate, **options)


def problems(balancer: Balancer) -> list[str]:
    return [f"{each['what']} ({each['hint']})" for each in balancer.status()["problems"]]


@pytest.mark.parametrize("mode", ["dnsrr", "vip"])
def test_every_replica_is_seen_and_scaling_loses_nothing(swarm: Swarm, balance_swarm: Start, mode: str) -> None:
    """0 → 5 → 1 → 0 → 3: without replicas 503; nobody is asked that is not there."""
    balancer = balance_swarm()
    swarm.create("web", "--replicas", "0", labels=LABELS, mode=mode)
    balancer.until(lambda _: balancer.service("web"), "the service is known")
    assert balancer.request("a.test").status == 503
    swarm.scale("web", 5)
    assert len(balancer.serves("a.test", 5)) == 5
    with load(balancer) as during:
        during.more(50)
        swarm.scale("web", 1)
        balancer.until_up("web", 1)
        during.more(50)
    assert during.report.lost == 0, during.report
    assert {each["host"] for each in balancer.service("web")["endpoints"]} <= {"h1", "h2", "h3"}
    swarm.scale("web", 0)
    balancer.until_up("web", 0)
    assert balancer.request("a.test").status == 503
    swarm.scale("web", 3)
    balancer.serves("a.test", 3)
    balancer.until(lambda _: not problems(balancer), "nothing is wrong")


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize("app", [{"DRAIN": 3}, {}], ids=["drains", "closes at once"])
def test_a_rolling_update_loses_nothing(swarm: Swarm, balance_swarm: Start, order: str, app: dict[str, object]) -> None:
    balancer = balance_swarm()
    swarm.create("web", "--replicas", "3", "--update-order", order, labels=LABELS, env=app)
    before = balancer.serves("a.test", 3)
    with load(balancer) as during:
        during.more(50)
        swarm.update("web", "--force")
        balancer.until_up("web", 3)
        during.more(50)
    assert during.report.lost == 0, during.report
    assert not before & balancer.serves("a.test", 3)


def test_a_roll_back_loses_nothing(swarm: Swarm, balance_swarm: Start) -> None:
    balancer = balance_swarm()
    swarm.create("web", "--replicas", "2", labels=LABELS, env={"NAME": "old"})
    assert balancer.serves("a.test", 1) == {"old"}
    swarm.update("web", "--env-add", "NAME=new")
    assert balancer.serves("a.test", 1) == {"new"}
    with load(balancer) as during:
        swarm.update("web", "--rollback")
        balancer.until_up("web", 2)
        during.more(20)
    assert during.report.lost == 0, during.report
    assert balancer.serves("a.test", 1) == {"old"}


def test_labels_on_a_service_change_what_is_routed_without_new_tasks(swarm: Swarm, balance_swarm: Start) -> None:
    """Those of the service win over those of its containers."""
    balancer = balance_swarm()
    swarm.create("web", "--container-label", "longshore.host=c.test", "--container-label", "longshore.port=8000")
    first = balancer.serves("c.test", 1)
    swarm.update("web", "--label-add", "longshore.host=s.test")
    assert balancer.serves("s.test", 1) == first
    assert balancer.request("c.test").status == 404


def test_a_drained_node_loses_nothing_and_a_paused_one_serves_on(swarm: Swarm, balance_swarm: Start) -> None:
    balancer = balance_swarm()
    swarm.create("web", "--replicas", "3", labels=LABELS)
    balancer.serves("a.test", 3)
    with load(balancer) as during:
        swarm.manager.docker("node", "update", "--availability", "pause", "h3")
        during.more(50)
        assert any(each["host"] == "h3" for each in balancer.until_up("web", 3)["endpoints"])
        swarm.manager.docker("node", "update", "--availability", "drain", "h2")
        until(lambda: not swarm.on("web", swarm.nodes[1]), 60, "h2 is empty")
        swarm.until_settled("web")
        balancer.until_up("web", 3)
        during.more(50)
    assert during.report.lost == 0, during.report
    assert all(each["host"] != "h2" for each in balancer.service("web")["endpoints"])


def test_a_global_service_has_an_endpoint_on_each_node(swarm: Swarm, balance_swarm: Start) -> None:
    balancer = balance_swarm()
    swarm.manager.docker("node", "update", "--label-add", "longshore.zone=east", "h2")
    swarm.create("web", "--mode", "global", labels=LABELS)
    balancer.serves("a.test", 3)
    endpoints = balancer.service("web")["endpoints"]
    assert sorted((each["name"], each["host"], each["zone"]) for each in endpoints) == [
        ("web.h1", "h1", ""),
        ("web.h2", "h2", "east"),
        ("web.h3", "h3", ""),
    ]


def test_from_outside_of_the_swarm_by_ports_of_the_nodes(swarm: Swarm, balance: Callable[..., Balancer]) -> None:
    """A balancer on no overlay network takes `mode=host` ports; what has none is said with the cure."""
    balancer = balance(config={"sources": {"swarm": {"host": swarm.manager.host}}})
    options = ("--replicas", "3", "--publish", "mode=host,target=8000")
    swarm.create("web", *options, labels=LABELS, network="")
    swarm.create("inside", labels={"longshore.host": "i.test", "longshore.port": "8000"})
    assert len(balancer.serves("a.test", 3)) == 3
    assert {each["address"] for each in balancer.service("web")["endpoints"]} <= {n.address for n in swarm.nodes}
    balancer.until(lambda _: problems(balancer), "what cannot be reached is said")
    (problem,) = problems(balancer)
    assert "its tasks are in network front, and port 8000 is not published with mode=host" in problem
    assert "docker service update --network-add front BALANCER" in problem
    with Load(port=balancer.port, host="a.test", rate=100) as during:
        swarm.update("web", "--force", "--env-add", "DRAIN=2")
        during.more(50)
        swarm.scale("web", 1)
        balancer.until_up("web", 1)
        during.more(50)
    assert {failure.kind for failure in during.report.failures} <= set(), during.report


def test_a_worker_loses_its_power(swarm: Swarm, balance_swarm: Start) -> None:
    """Only what is in flight to it may fail: at most one request per connection that was open to it."""
    balancer = balance_swarm()
    swarm.create("web", "--replicas", "3", labels=LABELS)
    balancer.serves("a.test", 3)
    (lost,) = swarm.on("web", swarm.nodes[2])
    with load(balancer, rate=50) as during:
        during.more(50)
        swarm.nodes[2].power_off()
        balancer.until(lambda _: {e["state"] for e in ends(balancer, "h3")} <= {"down"}, "its task is out by the check")
        during.more(100)
        until(lambda: len(swarm.running("web")) == 3 and not swarm.on("web", swarm.nodes[2]), 90, "it was replaced")
        balancer.until(lambda _: not ends(balancer, "h3"), "its task is out by the state", deadline=60)
        during.more(20)
    seen = during.report.by[lost.short].last
    in_flight = [each for each in during.report.failures if each.at <= seen + 3]
    assert list(during.report.failures) == in_flight, during.report
    swarm.nodes[2].start()


def ends(balancer: Balancer, host: str) -> list[Any]:
    return [each for each in balancer.service("web")["endpoints"] if each["host"] == host]


def test_a_manager_that_is_demoted_is_said_and_what_it_knew_is_served(swarm: Swarm) -> None:
    """longshore asks the second of two managers, which then is none: stale, nothing lost; promoted again: current."""
    second = swarm.nodes[1]
    promote(swarm, second)
    balancer = BoxedBalancer(
        second, second.address, networks=[FRONT], config={"sources": {"swarm": {"host": second.host}}}
    )
    try:
        balancer.start()
        swarm.create("web", "--replicas", "3", labels=LABELS)
        balancer.serves("a.test", 3)
        with load(balancer, rate=50) as during:
            demote(swarm, second)
            balancer.until(
                lambda _: any("not a manager of its Swarm" in each for each in problems(balancer)), deadline=90
            )
            assert balancer.status()["sources"][0]["state"] == "stale"
            during.more(50)
            promote(swarm, second)
            balancer.until(lambda status: status["sources"][0]["state"] == "current", "it is current", deadline=60)
            balancer.serves("a.test", 3)
        assert during.report.lost == 0, during.report
    finally:
        balancer.close()
        demote(swarm, second)
        until(lambda: not is_manager(second), 90, "h2 is a worker again")


def promote(swarm: Swarm, node: Node) -> None:
    swarm.manager.docker("node", "promote", node.name)
    until(lambda: is_manager(node), 60, f"{node.name} is a manager")


def demote(swarm: Swarm, node: Node) -> None:
    """Make it a worker. On a busy machine the managers may not agree in time, and say so: they are asked again."""

    def done() -> bool:
        with contextlib.suppress(RuntimeError):
            swarm.manager.docker("node", "demote", node.name)
            return True
        return False

    until(done, 90, f"{node.name} is to be a worker")


def is_manager(node: Node) -> bool:
    return bool(node.api.get("/info")["Swarm"]["ControlAvailable"])


def test_an_engine_in_no_swarm_is_said(swarm: Swarm, balance: Callable[..., Balancer], engine: Any) -> None:
    balancer = Balancer(config={"sources": {"swarm": {"host": engine.host}}})
    try:
        balancer.start(ready=False)
        balancer.until(lambda _: any("is in no Swarm" in each for each in problems(balancer)))
    finally:
        balancer.close()


def test_a_worker_is_no_manager_and_says_who_is(swarm: Swarm) -> None:
    balancer = Balancer(config={"sources": {"swarm": {"host": swarm.nodes[1].host}}})
    try:
        balancer.start(ready=False)
        wanted = f"is not a manager of its Swarm; managers are at {swarm.manager.address}"
        balancer.until(lambda _: any(wanted in each for each in problems(balancer)))
    finally:
        balancer.close()
