"""Who of a service comes first: what is near, one alone, some zones more than others, and whose turn it is.

    service ──▶ Chooser ──▶ the same service, its endpoints with a role, a weight, and HAProxy's `backup` where due

HAProxy knows two levels: servers, and `backup` servers that all share the traffic while no other server is up. So it
takes over by itself in the very moment in which the last preferred endpoint goes down; nobody has to notice first.

    prefer: host, zone   what is near is `preferred`, the rest is `backup`. Endpoints that say `backup` themselves come
                         behind the rest: they are `standby`, out of HAProxy, while any of the rest is up
    only: leader         the smallest id is `leader` (of entries with a `rank`: the smallest of those), the next one its
                         `backup`, all others are `standby`. Who has not answered a first check is no candidate; who is
                         down or taken out by an operator stays in its place, with one more backup behind it
    zone-weights         per cent of the endpoint's own weight; 0 makes it a `backup`
    turns                of `core.origins`: the lowest one serves of which an endpoint has answered a first check; later
                         ones are `standby`, asked beforehand, so that they can take over at once

Roles of `prefer` are a matter of place: they never change while an endpoint lives, so no server is defined anew when a
zone fails or comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from longshore.core.model import NEVER, Endpoint, EndpointState, Role, Service

Health = Literal["unknown", "up", "down"]
"""`unknown`: it has not answered its first check. `down`: HAProxy's check fails, or an operator took it out."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where this balancer is. `mine` tells whether an address is one of this machine."""

    host: str = ""
    zone: str = ""
    mine: Callable[[str], bool] = lambda address: False


@dataclass(frozen=True, slots=True)
class Turn:
    """What an endpoint is to its service."""

    role: Role = ""
    why: str = ""
    weight: int = 100
    backup: bool = False


@dataclass(slots=True)
class _Memory:
    chosen: Service
    endpoints: dict[str, tuple[Endpoint, Endpoint]]  # id -> as it came in, as it went out


class Chooser:
    """Gives endpoints their roles, and remembers: unchanged services come back as the identical object."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self._known: dict[str, _Memory] = {}

    def choose(self, service: Service, health: Callable[[Endpoint], Health]) -> Service:
        """The service with roles."""
        if not concerned(service):
            return service
        known = self._known.get(service.name)
        turns = turns_of(service, self.here, health) if not service.ordered else in_turn(service, self.here, health)
        before = known.endpoints if known else {}
        endpoints = {e.id: (e, _turned(e, turns[e.id], before.get(e.id))) for e in service.endpoints}
        chosen = replace(service, endpoints=tuple(out for _, out in endpoints.values()))
        if known and known.chosen == chosen:
            chosen = known.chosen
        self._known[service.name] = _Memory(chosen, endpoints)
        return chosen

    def forget(self, name: str) -> None:
        """Drop the memory of a service that is gone."""
        self._known.pop(name, None)


def concerned(service: Service) -> bool:
    """Whether a service asks for any of this."""
    policy = service.policy
    return bool(policy.prefer or policy.only or policy.zone_weights or service.ordered)


def turns_of(service: Service, here: Here, health: Callable[[Endpoint], Health]) -> dict[str, Turn]:
    """The turn of each endpoint, by its id."""
    return dict(_led(service, health) if service.policy.only else _preferred(service, here, health))


def in_turn(service: Service, here: Here, health: Callable[[Endpoint], Health]) -> dict[str, Turn]:
    """The turns of endpoints that serve one group after the other; among those whose turn it is, as `turns_of`."""
    able = [e for e in service.endpoints if 0 < e.turn < NEVER and e.state is EndpointState.READY]
    proven = [e for e in able if health(e) != "unknown"]
    now = min((proven or able), key=lambda e: e.turn, default=None)
    last = now.turn if now else NEVER - 1
    serving = tuple(e for e in service.endpoints if e.turn <= last)
    turns = turns_of(replace(service, endpoints=serving), here, health)
    early = any(e.turn < last for e in able)
    for e in service.endpoints:
        if e.turn == NEVER:
            turns[e.id] = Turn("standby", f"{e.origin} does not count now", e.weight, e.backup)
        elif e.turn > last:
            before = now.origin if now else ""
            turns[e.id] = Turn("standby", f"{e.origin} waits: {before} has endpoints", e.weight, e.backup)
        elif e.turn == last > 1:
            what = "who comes before it has not answered yet" if early else "nothing is found before it"
            turn = turns[e.id]
            turns[e.id] = replace(turn, why="; ".join(filter(None, (f"{e.origin} serves: {what}", turn.why))))
    return turns


def near(endpoint: Endpoint, here: Here, prefer: str) -> bool:
    """Whether an endpoint is on the balancer's own host, or in its zone."""
    if prefer == "zone":
        return endpoint.zone == here.zone
    return endpoint.host == here.host if endpoint.host else here.mine(endpoint.address)


def _preferred(service: Service, here: Here, health: Callable[[Endpoint], Health]) -> Iterator[tuple[str, Turn]]:
    policy = service.policy
    own = {"host": f"host {here.host}", "zone": f"zone {here.zone}"}.get(policy.prefer, "")
    if policy.prefer == "zone" and not here.zone:
        own = ""  # nobody knows what is near: `core.unmet` says so
    share = {each.zone: each.percent for each in policy.zone_weights}
    far = [e for e in service.endpoints if own and not e.backup and not near(e, here, policy.prefer)]
    others = any(health(e) == "up" for e in far if e.state is EndpointState.READY) if _any_backup(service) else False
    for e in service.endpoints:
        percent = share.get(e.zone, 100) if e.zone else 100
        weight = e.weight if percent in (0, 100) or not e.weight else max(1, round(e.weight * percent / 100))
        told = f"{percent} % of its weight: zone {e.zone}" if percent not in (0, 100) else ""
        if e.backup:
            why = f"a backup by its own word, behind those that are not of {own}"
            turn = Turn("standby", why, weight, backup=True) if others else Turn("backup", "", weight, backup=True)
        elif percent == 0:
            turn = Turn("backup", f"zone {e.zone} has weight 0: only while no other is up", weight, backup=True)
        elif not own:
            turn = Turn("", told, weight)
        elif near(e, here, policy.prefer):
            turn = Turn("preferred", "; ".join(filter(None, (f"preferred: {own}", told))), weight)
        else:
            why = f"backup: not of {own}"
            turn = Turn("backup", "; ".join(filter(None, (why, told))), weight, backup=True)
        yield e.id, turn


def _led(service: Service, health: Callable[[Endpoint], Health]) -> Iterator[tuple[str, Turn]]:
    ready = [e for e in service.endpoints if e.state is EndpointState.READY]
    states = {e.id: health(e) for e in ready}
    candidates = sorted((e for e in ready if states[e.id] != "unknown"), key=lambda e: (e.backup, e.rank, e.id))
    usable = 0
    leader: Endpoint | None = None
    turns: dict[str, Turn] = {}
    for e in candidates:
        if leader is None:
            leader, turn = e, Turn("leader", "leader: the smallest id", e.weight)
        elif usable < 2:
            turn = Turn("backup", f"takes over from {leader.name}", e.weight, backup=True)
        else:
            turn = Turn("standby", f"waits: {leader.name} is the leader", e.weight, backup=True)
        usable += states[e.id] == "up"
        turns[e.id] = turn
    for e in service.endpoints:
        yield e.id, turns.get(e.id) or Turn("standby", "", e.weight, backup=True)


def _any_backup(service: Service) -> bool:
    return any(e.backup for e in service.endpoints)


def _turned(endpoint: Endpoint, turn: Turn, before: tuple[Endpoint, Endpoint] | None) -> Endpoint:
    reason = "; ".join(filter(None, (turn.why, endpoint.reason)))
    turned = replace(endpoint, role=turn.role, reason=reason, weight=turn.weight, backup=turn.backup)
    return before[1] if before and before[1] == turned else turned
