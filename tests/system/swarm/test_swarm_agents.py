"""Agents on every machine of a real Swarm, a balancer without any socket: nothing is lost, whatever leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.contained import BoxedBalancer
from tests.lab.load import Load
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system

Start = Callable[..., BoxedBalancer]
LABELS = ("--container-label", "longshore.host=a.test", "--container-label", "longshore.port=8000")


def load(balancer: BoxedBalancer, rate: float = 200, **options: Any) -> Load:
    return Load(port=balancer.port, address=balancer.address, host="a.test", rate=rate, **options)


def test_every_replica_is_heard_of_and_scaling_loses_nothing(swarm: Swarm, balance_agents: Start) -> None:
    """0 → 5 → 1 → 0 → 3, closing at once at SIGTERM."""
    balancer = balance_agents()
    swarm.create("web", "--replicas", "5", *LABELS)
    assert len(balancer.serves("a.test", 5)) == 5
    assert {each["host"] for each in balancer.service("web")["endpoints"]} == {"h1", "h2", "h3"}
    with load(balancer) as during:
        during.more(50)
        swarm.scale("web", 1)
        balancer.until_up("web", 1)
        during.more(50)
    assert during.report.lost == 0, during.report
    swarm.scale("web", 0)
    balancer.until_up("web", 0)
    assert balancer.request("a.test").status == 503
    swarm.scale("web", 3)
    balancer.serves("a.test", 3)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize("app", [{}, {"DRAIN": 2}, {"IGNORE": 1}], ids=["closes at once", "drains", "ignores SIGTERM"])
def test_a_rolling_update_loses_nothing(
    swarm: Swarm, balance_agents: Start, order: str, app: dict[str, object]
) -> None:
    balancer = balance_agents()
    options = ("--replicas", "3", "--update-order", order, "--stop-grace-period", "4s")
    swarm.create("web", *options, *LABELS, env=app)
    before = balancer.serves("a.test", 3)
    with load(balancer) as during:
        during.more(50)
        swarm.update("web", "--force")
        balancer.until_up("web", 3)
        during.more(50)
    assert during.report.lost == 0, during.report
    assert not before & balancer.serves("a.test", 3)


def test_agents_that_are_replaced_or_killed_take_nothing_along(swarm: Swarm, balance_agents: Start) -> None:
    balancer = balance_agents()
    swarm.create("web", "--replicas", "3", *LABELS)
    balancer.serves("a.test", 3)
    with load(balancer) as during:
        swarm.update("agent", "--force")
        during.more(50)
        for agent in swarm.containers("agent"):
            agent.kill()
        during.more(50)
        swarm.until_settled("agent")
        swarm.scale("web", 2)
        balancer.until_up("web", 2)
        during.more(50)
    assert during.report.lost == 0, during.report


def test_without_agents_what_they_told_is_served_and_it_is_said(swarm: Swarm, balance_agents: Start) -> None:
    balancer = balance_agents()
    swarm.create("web", "--replicas", "3", *LABELS)
    balancer.serves("a.test", 3)
    swarm.manager.docker("service", "rm", "agent")
    balancer.until(lambda status: status["sources"][0]["state"] == "stale", "no agent is heard")
    words = "nobody tells of h2 any more"
    balancer.until(lambda status: any(words in each["what"] for each in status["problems"]), "it is said")
    assert len(balancer.serves("a.test", 3)) == 3


def test_a_worker_loses_its_power(swarm: Swarm, balance_agents: Start) -> None:
    """Only what is in flight to it may fail; what its agent told stays, and its check takes it out."""
    balancer = balance_agents()
    swarm.create("web", "--replicas", "3", *LABELS)
    balancer.serves("a.test", 3)
    (lost,) = swarm.on("web", swarm.nodes[2])
    with load(balancer, rate=50) as during:
        during.more(50)
        swarm.nodes[2].power_off()
        balancer.until(lambda _: down(balancer, "h3"), "its task is out by the check")
        during.more(100)
    seen = during.report.by[lost.short].last
    assert [each for each in during.report.failures if each.at > seen + 3] == [], during.report
    swarm.nodes[2].start()


def down(balancer: BoxedBalancer, host: str) -> bool:
    return {each["state"] for each in balancer.service("web")["endpoints"] if each["host"] == host} == {"down"}


def test_a_wrong_token_is_said(swarm: Swarm, balance_agents: Start) -> None:
    balancer = balance_agents(token="another")
    status = balancer.until(lambda status: status["problems"], "it is said")
    assert "refuses our token" in status["problems"][0]["what"]
    until(lambda: balancer.status()["sources"][0]["state"] == "stale")
