"""The two ways in which a registrar of ours writes services of a Consul agent, and knows again what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from longshore.core.entries import Broken, Entry
from longshore.core.layouts import consul, consul_registrator


@dataclass(frozen=True, slots=True)
class Spelling:
    """One of them. `over_nobodys`: what stands at an ID without an owner is written over, if it is the same service."""

    registration: Callable[[Entry, float], dict[str, Any]]
    owner: Callable[[Mapping[str, Any], str], str]  # of a service, as its agent tells it, and the notes of its check
    kept: Callable[[Mapping[str, Any]], Entry | Broken | None]  # of a row of /v1/health/state
    over_nobodys: bool = False


NATIVE = Spelling(consul.registration, lambda row, _: consul.owner_of(row), consul.kept)
SPELLINGS = {
    "native": NATIVE,
    "registrator": Spelling(
        consul_registrator.registration,
        lambda _, notes: consul_registrator.owner_in(notes),
        partial(consul.kept, plain=True),
        over_nobodys=True,
    ),
}
