"""Commands that change something, and what they say when they cannot."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command, ServedAgent


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["drain", "shop-web"], ("drain", "shop-web", None)),
        (["drain", "shop-web/shop-web-1"], ("drain", "shop-web", "shop-web-1")),
        (["drain", "shop-web", "--maint"], ("maint", "shop-web", None)),
        (["ready", "shop-web/10.0.0.1:80"], ("ready", "shop-web", "10.0.0.1:80")),
        (["weight", "shop-web", "0"], ("weight", "shop-web", None, 0)),
        (["weight", "shop-web/a", "256"], ("weight", "shop-web", "a", 256)),
        (["weight", "shop-web/a", "default"], ("weight", "shop-web", "a", None)),
        (["reload"], ("reload", "an operator asked for it")),
        (["reload", "--reason", "new certificates"], ("reload", "new certificates")),
        (["mend"], ("mend",)),
        (["thaw", "etcd"], ("thaw", "etcd")),
    ],
)
def test_what_is_asked_reaches_the_agent(
    agent: ServedAgent, command: Command, arguments: list[str], asked: tuple[object, ...]
) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert agent.fake.asked == [asked]
    assert ended.out.strip()


def test_json(agent: ServedAgent, command: Command) -> None:
    assert json.loads(command("drain", "shop-web", "--json").out)["service"] == "shop-web"
    assert json.loads(command("mend", "--json").out)["drift"][0]["mended"] is True
    assert json.loads(command("reload", "--json").out) == {"what": "reloaded"}


def test_a_source_that_is_not_frozen_cannot_be_thawed(agent: ServedAgent, command: Command) -> None:
    ended = command("thaw", "docker")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "longshore: source docker is not frozen\n  all that it serves is registered\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["weight", "shop-web", "257"],
        ["weight", "shop-web", "-1"],
        ["weight", "shop-web", "²"],
        ["weight", "shop-web", "many"],
        ["weight", "shop-web"],
        ["drain"],
        ["drain", ""],
        ["drain", "/shop-web-1"],
        ["drain", "shop-web/"],
        ["drain", "a", "b"],
        ["drain", "a", "--nope"],
    ],
)
def test_wrong_usage_is_2_and_asks_for_nothing(agent: ServedAgent, command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.code == 2
    assert ended.err
    assert agent.fake.asked == []


def test_a_service_that_does_not_exist_is_1_and_says_which_do(agent: ServedAgent, command: Command) -> None:
    ended = command("drain", "shop")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "longshore: no service shop\n  services: shop-web\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["explain", "http://a.test/"],
        ["drain", "a"],
        ["ready", "a"],
        ["weight", "a", "1"],
        ["events"],
        ["events", "--follow"],
        ["reload"],
        ["mend"],
        ["thaw", "etcd"],
        ["wait", "a", "--timeout", "0"],
    ],
)
def test_without_an_agent_it_is_3_and_says_what_to_do(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (3, "")
    assert "no longshore agent answers at" in ended.err
    assert "longshore up" in ended.err
