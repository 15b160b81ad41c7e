"""How a registrar stands, as lines for people: who it is, its registries, every entry. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from longshore.agent.report import LeaseShown, RegistrarStatus
from longshore.cli.text import Colour, ago, clean, columns, paint, span
from longshore.core.places import joined

COLOURS: dict[str, Colour] = {"held": "green", "current": "green", "lost": "red", "refused": "red", "away": "red"}


def registrar_lines(registrar: RegistrarStatus, now: float) -> list[str]:
    """Everything."""
    where = f"this host is {registrar.address}" if registrar.address else "this host's address is not known"
    head = f"{paint('registrar', 'bold')}  {clean(registrar.owner)}, {clean(where)}"
    registries = [
        (each.state, each.name if each.name == each.type else f"{each.name} ({each.type})", each.reason)
        for each in registrar.registries
    ]
    lines = [head, *columns(registries, "  ", [COLOURS.get(row[0], "yellow") for row in registries])]
    leases = (replace(each, error="") if each.state == "refused" else each for each in registrar.leases)
    return [*lines, "", *lease_lines(tuple(leases), registrar.owner, now)]  # why they are is among the problems


def lease_lines(leases: tuple[LeaseShown, ...], owner: str, now: float) -> Iterator[str]:
    """Every entry of this host, and every endpoint that has none."""
    if not leases:
        yield "no endpoints to register: start a container that publishes a port, with a longshore label"
        return
    yield paint("leases", "bold")
    rows = [_lease(lease, owner, now) for lease in leases]
    yield from columns(rows, "  ", [COLOURS.get(lease.state, "yellow") for lease in leases])


def _lease(lease: LeaseShown, owner: str, now: float) -> tuple[str, ...]:
    return (
        lease.state,
        f"{lease.service}/{lease.id}",
        joined(lease.address, lease.port) if lease.address else "",
        f"in {lease.registry}" if lease.registry else "",
        f"TTL {span(lease.ttl)}" if lease.ttl else "",
        ago(lease.since, now),
        f"of {lease.owner}" if lease.owner != owner else "",
        "; ".join(filter(None, (lease.check, lease.error))),
    )
