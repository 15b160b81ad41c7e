"""Endpoints that HAProxy found itself, as `status` shows them: what its statistics say of the slots that are in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from longshore.agent.report import EndpointStatus, Refused, ServiceStatus, ShownState
from longshore.config.fields import split_address
from longshore.core.model import Endpoint, Service
from longshore.core.template import owns
from longshore.core.values import RefusedError
from longshore.haproxy.observe import ServerStat


def found(
    service: Service, backend: str, stats: Mapping[tuple[str, str], ServerStat], now: float
) -> tuple[EndpointStatus, ...]:
    """The slots that have an address, in the order of these."""
    if service.template is None:
        return ()
    used = [stat for (name, server), stat in stats.items() if name == backend and owns(server) and stat.address]
    shown = (_shown(service, stat, now) for stat in used)
    return tuple(sorted((each for each in shown if each), key=lambda each: (":" in each.address, each.id)))


def _shown(service: Service, stat: ServerStat, now: float) -> EndpointStatus | None:
    assert service.template
    try:
        address, port = split_address(stat.address)
    except RefusedError:
        return None
    state: ShownState = "up"
    reason = f"HAProxy found it by {service.template.name}"
    if stat.status.startswith("DOWN"):
        state, reason = "down", f"HAProxy's check fails: {stat.check}"
    elif stat.status.startswith("MAINT"):
        if "resolution" in stat.status:
            return None  # the last address of a slot that is free
        state, reason = "maint", "somebody told HAProxy so"
    since = now - stat.changed
    return EndpointStatus(
        stat.address,
        stat.address,
        address,
        port,
        state,
        reason,
        since,
        since if state == "up" else 0.0,
        service.template.weight,
        False,
        stat.sessions,
        service.template.backup,
    )


def with_found(service: Service, shown: ServiceStatus) -> Service:
    """The service with the endpoints that HAProxy found, for those who explain where a request goes."""
    if service.template is None:
        return service
    own = {endpoint.id for endpoint in service.endpoints}
    more = (
        Endpoint(each.id, each.name, each.address, each.port, each.weight, each.backup, reason=each.reason)
        for each in shown.endpoints
        if each.id not in own
    )
    return replace(service, endpoints=(*service.endpoints, *more))


def refuse(service: Service) -> None:
    """Raise `Refused` where an operator wants something of endpoints that longshore does not have in its hand."""
    if service.template is not None and not service.endpoints:
        raise Refused(
            f"HAProxy finds the endpoints of service {service.name} itself, so longshore cannot change them",
            "with `resolve: longshore` in the source it can",
        )
