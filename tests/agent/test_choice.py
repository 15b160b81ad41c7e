"""The choice of a leader follows what is up: first checks, HAProxy's checks, an operator's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.agent.choice import Choice, Sight
from longshore.agent.prober import Prober
from longshore.core.capabilities import TYPICAL
from longshore.core.model import Endpoint, Policy, Service
from longshore.core.overrides import Overrides
from longshore.core.prefer import Here
from longshore.core.wanted import Wanter
from longshore.haproxy.observe import ServerStat
from tests.core.test_plan import PATHS, started, wanted_of

CAPS = TYPICAL[2, 6]
WEB = Service(
    "web",
    policy=Policy(only="leader"),
    endpoints=tuple(Endpoint(f"{name}:80", name, f"10.0.0.{number}", 80) for number, name in enumerate("abc", 1)),
)
PLAIN = Service("plain")


def roles(service: Service) -> dict[str, str]:
    return {e.name: e.role for e in service.endpoints}


@pytest.fixture
def wanter() -> Wanter:
    return Wanter(CAPS, PATHS)


@pytest.fixture
def sight(wanter: Wanter) -> Sight:
    """All three are in HAProxy, two of them under their names as backups."""
    there = replace(WEB, endpoints=tuple(replace(e, backup=e.name != "a") for e in WEB.endpoints))
    running = started(wanted_of(Wanter(CAPS, PATHS), [there]), CAPS)
    return Sight(running, {}, Overrides(), Prober(lambda _: None))


def test_only_what_asks_for_a_choice_is_looked_at(wanter: Wanter, sight: Sight) -> None:
    choice = Choice(Here())
    choice.take([PLAIN, WEB], [])
    found = choice.chosen([PLAIN, WEB], sight, wanter, (), again=False)
    assert found["plain"] is PLAIN
    assert roles(found["web"]) == {"a": "leader", "b": "backup", "c": "standby"}
    assert choice.chosen([], sight, wanter, (), again=False) == {}
    assert choice.chosen([], sight, wanter, ["web"], again=False)["web"] is found["web"]


def test_news_of_checks_and_operators_are_noticed(wanter: Wanter, sight: Sight) -> None:
    choice = Choice(Here())
    choice.take([WEB], [])
    first = choice.chosen([WEB], sight, wanter, (), again=False)["web"]
    running = sight.running
    assert running
    (home,) = running.homes["web"]
    name = wanter.servers(first)["a:80"].name
    down = ServerStat("DOWN", 0, 0, 0, "L4CON")
    found = choice.chosen([], replace(sight, stats={(home, name): down}), wanter, (), again=False)["web"]
    assert roles(found) == {"a": "leader", "b": "backup", "c": "backup"}
    said = Overrides().with_admin("web", "b:80", "drain", 1.0)
    found = choice.chosen([], replace(sight, overrides=said), wanter, (), again=False)["web"]
    assert roles(found) == {"a": "leader", "b": "backup", "c": "backup"}


def test_who_has_not_answered_is_no_candidate(wanter: Wanter, sight: Sight) -> None:
    choice = Choice(Here())
    choice.take([WEB], [])
    nobody = replace(sight, running=None)
    first = choice.chosen([WEB], nobody, wanter, (), again=False)["web"]
    assert set(roles(first).values()) == {"standby"}
    nobody.prober.admitted[f"web/{wanter.servers(WEB)['b:80'].key}"] = 0.0
    assert choice.moved(["web", "plain"], nobody, {"web": first}) == {"web"}
    found = choice.chosen([], nobody, wanter, ["web"], again=False)["web"]
    assert roles(found) == {"a": "standby", "b": "leader", "c": "standby"}


def test_who_is_gone_is_forgotten(wanter: Wanter, sight: Sight) -> None:
    choice = Choice(Here())
    choice.take([WEB], [])
    choice.take([], ["web"])
    assert choice.chosen([], sight, wanter, ["web"], again=True) == {}
