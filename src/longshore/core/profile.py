"""A profile: all that a backend fixes when it is made, as one named `defaults` section.

Services with equal profiles share one. HAProxy from 3.4 makes backends from it at runtime; for older versions spare
backends ("slots") of each profile stand ready in the configuration. So a profile never seen before costs one reload,
and what can be data (check path, check host, routes) is kept out of it: profiles stay few.
"""

from __future__ import annotations

from dataclasses import dataclass

from longshore.core import balance, profile_lines, quote, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Mode, Service
from longshore.core.paths import Paths
from longshore.core.raw import Line


@dataclass(frozen=True, slots=True)
class Profile:
    """One `defaults p-…` section for backends."""

    name: str  # "p-" and 8 hex digits of a hash of everything below
    mode: Mode
    lines: tuple[str, ...]  # without the mode
    users: tuple[str, ...] = ()  # "user:crypt hash" of the userlist that the lines refer to
    hold: bool = False  # the lines need the Lua script
    dynamic: bool = True  # False: HAProxy takes no servers at runtime with this algorithm (static-rr)
    dynamic_cookie: bool = False  # each added server needs `enable dynamic-cookie backend NAME` afterwards (2.6)


def profile_of(service: Service, caps: Capabilities, paths: Paths, own: tuple[Line, ...] = ()) -> Profile:
    """Return the profile that a service needs. Pure and cheap: called for every changed service.

    `own` are the operator's lines for the profile of every service that has lines of its own.
    """
    policy = service.policy
    lines = tuple(profile_lines.lines_of(service, caps, paths, own))
    algorithm = balance.parse(policy.balance)
    http = service.mode == "http"
    users = policy.auth if http else ()
    return Profile(
        name=f"p-{quote.digest(service.mode, *lines, *users)}",
        mode=service.mode,
        lines=lines,
        users=users,
        hold=policy.hold > 0 and caps.lua,
        dynamic=algorithm.runtime or algorithm.hashed,  # `hash-type consistent` makes them so
        dynamic_cookie=(http and bool(policy.sticky) and not caps.server_cookie)
        or raw_lines.cookie_is_dynamic(service, own, caps),
    )
