"""`wait`: for services, for the agent, not for ever."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from longshore.agent.report import RegistrarStatus
from longshore.core.model import Problem
from tests.cli.conftest import Command, ServedAgent
from tests.web.fake_agent import STATUS


def test_what_is_up_already_is_not_waited_for(agent: ServedAgent, command: Command) -> None:
    ended = command("wait", "shop-web")
    assert (ended.code, ended.out, ended.err) == (0, "shop-web: 1 endpoint up\n", "")


def test_it_ends_when_enough_are_up(agent: ServedAgent, command: Command) -> None:
    timer = threading.Timer(0.2, lambda: agent.do(agent.fake.put("shop-web-2", "up")))
    timer.start()
    ended = command("wait", "shop-web=2", "--timeout", "30s", "--json")
    timer.join()
    assert ended.code == 0
    assert json.loads(ended.out) == {"ready": True, "services": [{"name": "shop-web", "up": 2, "count": 2}]}
    assert "waiting: shop-web 1/2" in ended.err


def test_too_late_is_1_and_says_how_far_it_came(agent: ServedAgent, command: Command) -> None:
    ended = command("wait", "shop-web=5", "other", "--timeout", "100ms")
    assert (ended.code, ended.out) == (1, "")
    assert "waited 0.1 s: shop-web has 1 of 5 endpoints up; other has 0 of 1 endpoints up" in ended.err
    ended = command("wait", "shop-web=5", "--timeout", "0", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["ready"] is False


def test_without_a_service_it_waits_until_longshore_is_ready(agent: ServedAgent, command: Command) -> None:
    assert command("wait").code == 0
    agent.do(agent.fake.change(replace(STATUS, ready=False)))
    ended = command("wait", "--timeout", "0")
    assert ended.code == 1
    assert "longshore is not ready" in ended.err
    assert "it waits for" not in ended.err
    reasons = tuple(f"source s{number}, which has not answered yet" for number in range(7))
    agent.do(agent.fake.change(replace(STATUS, ready=False, waits_for=reasons)))
    ended = command("wait", "--timeout", "0")
    assert "longshore is not ready\nlongshore: it waits for source s0, which has not answered yet\n" in ended.err
    assert "source s4" in ended.err
    assert "source s5" not in ended.err
    assert ": and 2 more\n" in ended.err
    assert command("wait", "shop-web", "--timeout", "0").code == 1, "what is not served yet is not up"
    timer = threading.Timer(0.2, lambda: agent.do(agent.fake.change(STATUS)))
    timer.start()
    assert command("wait", "shop-web", "--timeout", "30s").code == 0
    timer.join()


def test_services_that_are_set_aside_are_waited_for_unless_others_are_asked_for(
    agent: ServedAgent, command: Command
) -> None:
    wrong = (Problem("synapse.yaml:3:7", "unknown key", service="node"),)
    agent.do(agent.fake.change(replace(STATUS, unserved=("node", "old"), problems=wrong)))
    ended = command("wait", "--timeout", "0")
    assert (
        ended.code,
        "waited 0 s: not served: node, old\nlongshore: synapse.yaml:3:7: unknown key\n" in ended.err,
    ) == (
        1,
        True,
    )
    assert command("wait", "shop-web", "--timeout", "0").code == 0


def test_an_agent_that_is_not_there_yet_is_waited_for(agent: ServedAgent, command: Command) -> None:
    """A script may start it in the background and wait right away."""
    agent.unserve()
    timer = threading.Timer(0.3, agent.serve)
    timer.start()
    ended = command("wait", "shop-web", "--timeout", "30s")
    timer.join()
    assert ended.code == 0
    assert "waiting for the agent" in ended.err


def test_a_registrar_is_not_waited_for(agent: ServedAgent, command: Command) -> None:
    """It would wait for ever: nothing is balanced there."""
    registrar = RegistrarStatus("box.12345678", "box", "10.0.0.5")
    agent.do(agent.fake.change(replace(STATUS, haproxy=None, services=(), registrar=registrar)))
    ended = command("wait", "shop-web", "--timeout", "1s")
    assert ended.code == 1
    assert "a registrar answers: it balances nothing" in ended.err
    assert "waited" not in ended.err


@pytest.mark.parametrize(
    "arguments", [["shop-web="], ["shop-web=x"], ["=1"], ["a", "--timeout", "soon"], ["a", "--timeout", "-1"]]
)
def test_wrong_usage_is_2(command: Command, arguments: list[str]) -> None:
    assert command("wait", *arguments).code == 2
