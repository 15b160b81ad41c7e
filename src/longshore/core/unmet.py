"""What a service asks for and does not get: said, so that nobody waits for it."""

from __future__ import annotations

from longshore.core.capabilities import Capabilities
from longshore.core.model import Problem, Service
from longshore.core.prefer import Here


def unmet(service: Service, caps: Capabilities, here: Here) -> Problem | None:
    """What a service asks for in vain: it is served all the same."""
    where = f"service {service.name}"
    if service.policy.hold and not caps.lua:
        what, hint = "this HAProxy has no Lua, so `hold` does nothing", "use a HAProxy built with Lua"
        return Problem(where, what, hint, service.name)
    if service.policy.prefer == "zone" and not here.zone:
        what = "prefers its balancer's zone, and nobody says which that is: every zone counts alike"
        return Problem(where, what, "say it in the configuration: here: {zone: eu-1a}", service.name)
    asked = "prefer" if service.policy.prefer else "only" if service.policy.only else ""
    if asked and service.template is not None:
        what = f"HAProxy finds its endpoints itself, so `{asked}` does nothing"
        return Problem(where, what, "with `resolve: longshore` in the source it works", service.name)
    return None
