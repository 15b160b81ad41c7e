"""What a service asks for and does not get: said, so that nobody waits for it."""

from __future__ import annotations

from longshore.core.capabilities import Capabilities
from longshore.core.model import Problem, Service


def unmet(service: Service, caps: Capabilities) -> Problem | None:
    """What a service asks for in vain: it is served all the same."""
    where = f"service {service.name}"
    if service.policy.hold and not caps.lua:
        what, hint = "this HAProxy has no Lua, so `hold` does nothing", "use a HAProxy built with Lua"
        return Problem(where, what, hint, service.name)
    for key, value in (("prefer", service.policy.prefer), ("only", service.policy.only)):
        if value:
            return Problem(where, f"`{key}` has no effect in this version yet", f"remove `{key}`", service.name)
    return None
