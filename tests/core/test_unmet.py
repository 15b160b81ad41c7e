"""What cannot be had is said, and nothing else is."""

from dataclasses import replace

from longshore.core.capabilities import TYPICAL
from longshore.core.model import Policy, Service
from longshore.core.unmet import unmet

CAPS = TYPICAL[2, 6]


def test_an_ordinary_service_gets_all_it_asks_for() -> None:
    assert unmet(Service("web", policy=Policy(hold=5.0)), CAPS) is None


def test_hold_without_lua_is_said() -> None:
    problem = unmet(Service("web", policy=Policy(hold=5.0)), replace(CAPS, lua=False))
    assert problem
    assert "no Lua" in problem.what


def test_a_key_without_effect_is_said() -> None:
    problem = unmet(Service("web", policy=Policy(prefer="host")), CAPS)
    assert problem
    assert "`prefer` has no effect" in problem.what
