"""What cannot be had is said, and nothing else is."""

from dataclasses import replace

from longshore.core.capabilities import TYPICAL
from longshore.core.model import Policy, Service, Template
from longshore.core.prefer import Here
from longshore.core.unmet import unmet

CAPS = TYPICAL[2, 6]


def test_an_ordinary_service_gets_all_it_asks_for() -> None:
    assert unmet(Service("web", policy=Policy(hold=5.0)), CAPS, Here()) is None


def test_hold_without_lua_is_said() -> None:
    problem = unmet(Service("web", policy=Policy(hold=5.0)), replace(CAPS, lua=False), Here())
    assert problem
    assert "no Lua" in problem.what


def test_nobody_is_preferred_among_endpoints_that_haproxy_finds() -> None:
    service = Service("web", policy=Policy(only="leader"), template=Template("tasks.web", 80))
    problem = unmet(service, CAPS, Here())
    assert problem
    assert "so `only` does nothing" in problem.what


def test_who_prefers_a_zone_needs_one() -> None:
    service = Service("web", policy=Policy(prefer="zone"))
    problem = unmet(service, CAPS, Here("h1"))
    assert problem
    assert "nobody says which" in problem.what
    assert unmet(service, CAPS, Here("h1", "eu-1a")) is None
