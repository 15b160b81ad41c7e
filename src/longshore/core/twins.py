"""Endpoints that stand in several sources under different ids: they count once, and keep their name when one goes.

While entries move from one registry to another, both say the same endpoint: address and port tell. Counted twice it
would get twice its share. So within a service the first source's word counts; the other is its *twin*. When the first
goes, the twin goes by its id from then on, so that HAProxy sees no difference: no server goes and none comes.

Only what several sources say *at the same time* are twins. A re-used address is another endpoint, as everywhere. What
endpoints go by outlives a restart (`told`), since HAProxy does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from longshore.core.model import Endpoint, Service

Identity = tuple[str, str]  # id and name
Place = tuple[str, int]


class Twins:
    """What endpoints go by, service by service."""

    def __init__(self, told: Any = None) -> None:
        """`told` is what `told` gave in an earlier life; anything else counts for nothing."""
        self._heirs = _read(told)  # service → an endpoint's own id → what it goes by

    def told(self) -> dict[str, dict[str, list[str]]]:
        """Give what endpoints go by, as JSON takes it."""
        return {name: {own: [*identity] for own, identity in heirs.items()} for name, heirs in self._heirs.items()}

    def unite(self, name: str, parts: Sequence[Service]) -> tuple[Endpoint, ...]:
        """Give the endpoints of a service that several sources have, or had; each counts once."""
        known = self._heirs.get(name, {})
        real = {endpoint.id: place_of(endpoint) for part in parts for endpoint in part.endpoints}
        found: dict[str, Endpoint] = {}
        taken: dict[Place, Endpoint] = {}
        heirs: dict[str, Identity] = {}
        for part in parts:
            earlier = dict(taken)  # one source that says a place twice is its own affair
            for own in part.endpoints:
                endpoint = _named(own, known.get(own.id), real)
                first = earlier.get(place_of(own), endpoint)
                if (first.id, first.name) != (own.id, own.name):
                    heirs[own.id] = (first.id, first.name)
                if first is endpoint and endpoint.id not in found:
                    found[endpoint.id] = endpoint
                    taken.setdefault(place_of(own), endpoint)
        self._heirs.pop(name, None)
        if heirs:
            self._heirs[name] = heirs
        return tuple(found.values())

    def concern(self, name: str) -> bool:
        """Whether a service has endpoints that go by another's id."""
        return name in self._heirs

    def forget(self, name: str) -> None:
        """Know that a service is gone."""
        self._heirs.pop(name, None)


def place_of(endpoint: Endpoint) -> Place:
    """Where an endpoint is reached."""
    return endpoint.address, endpoint.port


def _read(told: Any) -> dict[str, dict[str, Identity]]:
    found: dict[str, dict[str, Identity]] = {}
    for name, heirs in told.items() if isinstance(told, Mapping) else ():
        for own, identity in heirs.items() if isinstance(heirs, Mapping) else ():
            match identity:
                case [str(taken), str(word)]:
                    found.setdefault(name, {})[own] = (taken, word)
    return found


def _named(own: Endpoint, identity: Identity | None, real: dict[str, Place]) -> Endpoint:
    """The endpoint under the id it took over, unless that is used by somebody elsewhere now."""
    if identity is None or real.get(identity[0], place_of(own)) != place_of(own):
        return own
    return replace(own, id=identity[0], name=identity[1])
