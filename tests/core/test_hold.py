"""The script of `hold` is what the renderer refers to; tests/haproxy proves what it does."""

from __future__ import annotations

from longshore.core import hold


def test_the_action_of_the_script_is_the_one_the_profiles_call() -> None:
    assert f'core.register_action("{hold.ACTION.removeprefix("lua.")}"' in hold.SCRIPT
    assert hold.SCRIPT.count("{") == hold.SCRIPT.count("}")
