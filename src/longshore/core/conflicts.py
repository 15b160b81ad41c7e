"""Who owns a route when two services claim it.

A *claim* is the text that makes a route what it is: "http a.test/api/", "http :8080 a.test/", "tcp :5432". Two routes
with the same claim cannot both work. Claims of different precision (host and wildcard, path and longer path, exact and
prefix) live side by side, because routing has an order for them. See `longshore.core.merge` for the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from longshore.core.model import Mode, Problem, Route, Service


@dataclass(frozen=True, slots=True)
class Settled:
    """Who owns what, and who lost what to whom."""

    owners: Mapping[str, str] = field(default_factory=dict)  # claim -> service name
    modes: Mapping[str, str] = field(default_factory=dict)  # address of its own -> what is spoken there
    lost: Mapping[str, Mapping[Route, Problem]] = field(default_factory=dict)  # service name -> its lost routes


def claim_of(route: Route, mode: Mode) -> str:
    """Return what `route` claims; equal for routes that no request could tell apart.

    >>> claim_of(Route(host="a.test", path="/api"), "http")
    'http a.test/api/'
    >>> claim_of(Route(host="a.test", path="/api", exact=True, listen=":8080"), "http")
    'http :8080 a.test/api/#'
    """
    address = address_of(route.listen)
    if mode == "tcp":
        return f"tcp {address}"
    path = route.path + ("/#" if route.exact else "" if route.path.endswith("/") else "/")  # as `routes.map_key`
    return " ".join(filter(None, ("http", address, f"{route.host}{path}")))


def address_of(listen: str) -> str:
    """Return one spelling for an address: the ways to say "every IPv4 address" all become ":port"."""
    if listen.startswith("unix@"):
        return listen
    host, _, port = listen.rpartition(":")
    return f":{port}" if host in ("", "*", "0.0.0.0") and listen else listen  # noqa: S104 - compared, not bound


def modes_of(owners: Mapping[str, str]) -> dict[str, str]:
    """Return what is spoken on each address of its own, as far as the claims that somebody owns tell it."""
    modes: dict[str, str] = {}
    for claim in owners:
        kind, *rest = claim.split(" ")
        if kind == "tcp" or len(rest) > 1:
            modes[rest[0]] = "tcp" if kind == "tcp" else "http"
    return modes


def text_of(route: Route, mode: Mode) -> str:
    """Return a route as a person would say it: "a.test/api", "a.test/health (exact)", ":5432 (TCP)"."""
    if mode == "tcp":
        return f"{route.listen} (TCP)"
    return f"{route.listen + ' ' if route.listen else ''}{route.host}{route.path}{' (exact)' if route.exact else ''}"


def settle(services: Iterable[Service], before: Settled, reserved: Mapping[str, str]) -> Settled:
    """Give every claim to one service: to its owner in `before` if that still claims it, else to the first."""
    services = tuple(services)
    modes = _modes(services, before.modes)
    lost: dict[str, dict[Route, Problem]] = {}
    claimants: dict[str, dict[str, Route]] = {}
    for service in services:
        for route in service.routes:
            problem = _address_problem(service, route, modes, reserved) if route.listen else None
            if problem is None:
                claimants.setdefault(claim_of(route, service.mode), {}).setdefault(service.name, route)
            else:
                lost.setdefault(service.name, {})[route] = problem

    owners: dict[str, str] = {}
    by_name: Mapping[str, Service] = {}
    for claim, names in claimants.items():
        if len(names) == 1:
            (owners[claim],) = names
            continue
        by_name = by_name or {service.name: service for service in services}
        previous = before.owners.get(claim, "")
        owner = owners[claim] = previous if previous in names else next(iter(names))
        for name, route in names.items():
            if name != owner:
                lost.setdefault(name, {})[route] = _taken(by_name[name], route, by_name[owner])
    return Settled(owners, modes, lost)


def _spoken(service: Service) -> str:
    """What a service speaks on an address of its own. One with lines of its own has its addresses for itself."""
    return f"{service.mode} of {service.name}" if service.raw is not None else service.mode


def _modes(services: Iterable[Service], before: Mapping[str, str]) -> dict[str, str]:
    """Say what is spoken on each address of its own: that of a service with lines of its own, which the operator said;
    else what was spoken there before, else what the first one speaks."""
    wanted: dict[str, list[str]] = {}
    for service in services:
        for route in service.routes:
            if route.listen:
                wanted.setdefault(address_of(route.listen), []).append(_spoken(service))
    modes = {}
    for address, spoken in wanted.items():
        own = [each for each in spoken if " of " in each]
        spoken = own or spoken
        modes[address] = before[address] if before.get(address) in spoken else spoken[0]
    return modes


def _address_problem(
    service: Service, route: Route, modes: Mapping[str, str], reserved: Mapping[str, str]
) -> Problem | None:
    address = address_of(route.listen)
    holder = next((who for taken, who in reserved.items() if overlap(address, address_of(taken))), "")
    if holder:
        what = f"cannot listen on {route.listen}: the address belongs to {holder}"
        hint = "Choose another port"
        hint += "." if service.mode == "tcp" else ", or leave `listen` out to be routed by host and path."
    elif (spoken := modes[address]) != _spoken(service) and " of " in spoken:
        owner = spoken.partition(" of ")[2]
        what = f"cannot listen on {route.listen}: service {owner} has the address for itself, by the configuration"
        hint = "Choose another port for one of them."
    elif spoken != _spoken(service):
        ours, theirs = service.mode.upper(), spoken.upper()
        what = f"cannot speak {ours} on {route.listen}: another service speaks {theirs} there"
        hint = "Choose another port for one of them."
    else:
        return None
    return Problem(_where(service), what, hint, service.name)


def overlap(one: str, other: str) -> bool:
    """Say whether two addresses cannot both be listened on by different programs (":80" takes in "10.0.0.1:80")."""
    host, _, port = one.rpartition(":")
    other_host, _, other_port = other.rpartition(":")
    return port == other_port and (host == other_host or bool({host, other_host} & {"", "[::]"}))


def _taken(service: Service, route: Route, owner: Service) -> Problem:
    text = text_of(route, service.mode)
    sources = f" (source {', '.join(owner.sources)})" if owner.sources else ""
    change = "port" if service.mode == "tcp" else "host or path"
    return Problem(
        where=_where(service),
        what=f'route {text} is already taken by service "{owner.name}"{sources}, which keeps it',
        hint=f"Give one of them another {change}, or the same service name if they belong together.",
        service=service.name,
    )


def _where(service: Service) -> str:
    return f"service {service.name}" + (f" (source {', '.join(service.sources)})" if service.sources else "")
