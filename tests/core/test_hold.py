"""The script of `hold` is what the renderer refers to; tests/haproxy proves what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.core import hold
from longshore.core.model import Policy
from longshore.core.wanted import Wanter
from tests.core.test_plan import OLD, PATHS, service, wanted_of


def test_the_action_of_the_script_is_the_one_the_profiles_call() -> None:
    assert f'core.register_action("{hold.ACTION.removeprefix("lua.")}"' in hold.SCRIPT
    assert hold.SCRIPT.count("{") == hold.SCRIPT.count("}")
    assert f'txn:set_var("{hold.ENDED}"' in hold.SCRIPT


def test_a_service_that_holds_has_a_server_that_refuses_everything() -> None:
    """Unless it has a backup of its own, which would never be asked beside it."""
    held = service("web", "a", "b", policy=Policy(hold=5.0))
    backup = replace(held, endpoints=(held.endpoints[0], replace(held.endpoints[1], backup=True)))
    for made, caps, there in (
        (held, OLD, True),
        (service("web", policy=Policy(hold=5.0)), OLD, True),
        (service("web", "a"), OLD, False),
        (backup, OLD, False),
        (held, replace(OLD, lua=False), False),
    ):
        servers = wanted_of(Wanter(caps, PATHS), [made]).backends["web"].servers
        assert (hold.NOBODY.name in servers) == there


@pytest.mark.parametrize(
    ("policy", "retries"),
    [
        (Policy(hold=1.0), 20),  # never fewer than without
        (Policy(hold=8.0, retries=3), 16),  # HAProxy tries every half second, which is the connect timeout,
        (Policy(hold=12.0, connect_timeout=4.0, retries=3), 12),  # at most a second
        (Policy(hold=600.0), 30),
        (Policy(hold=600.0, retries=50), 50),
    ],
)
def test_retries_last_as_long_as_the_wait_within_reason(policy: Policy, retries: int) -> None:
    assert hold.retries(policy) == retries
