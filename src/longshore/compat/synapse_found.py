"""What Synapse's discovery methods are asked within, and what they become; their filters, which all have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from longshore.compat.given import At, Given
from longshore.compat.synapse_sources import Sources
from longshore.core.values import shown

FILTERS = ("label_filters", "label_filter")
LEAST = 1.0  # seconds between two questions to somebody else's API
NOT_NEEDED = "is not needed: longshore is told of a change when it happens"


@dataclass(slots=True)
class Found:
    """What a discovery becomes."""

    items: list[dict[str, Any]] = field(default_factory=list)  # of `from`
    endpoints: list[At] = field(default_factory=list)  # fixed ones, which it names itself
    first: bool = False
    toggle: At | None = None


@dataclass(slots=True)
class Asked:
    """What a discovery is asked within: the sources of all, and the port that its service says for every backend."""

    sources: Sources
    port: At | None = None
    conditions: tuple[At, ...] = ()  # that hold beside the discovery's own
    configured: bool = True  # the service itself says where it listens, or that it does not


Method = Callable[[Given, Asked], Found]


def conditions(given: Given) -> tuple[At, ...]:
    """The filters of a discovery as conditions: "tier=web", "tier!=web"."""
    found = []
    for key in FILTERS:
        value = given.data.get(key)
        for one in [given.inner(key)] if isinstance(value, dict) else given.inners(key):
            if one.data:
                found += _condition(one)
    return tuple(found)


def _condition(given: Given) -> list[At]:
    given.only(("label", "value", "condition"))
    if not given.needs("label", "condition"):
        return []
    label, value = given.text("label"), given.text("value")
    compared = given.one_of("condition", "equals", "not-equals")
    if "=" in label or label.endswith("!"):
        given.refuse("label", f"is {shown(label)}: a label with = or ! cannot be asked for")
        return []
    sign = "=" if compared == "equals" else "!="
    return [At(f"{label}{sign}{value}", given.place("label"))] if compared else []


def holds(condition: str, labels: dict[str, str]) -> bool:
    """Whether labels that are written down fulfil a condition."""
    label, _, value = condition.partition("=")
    return (labels.get(label.removesuffix("!")) == value) is not label.endswith("!")


def labelled(item: dict[str, Any], given: Given, asked: Asked) -> dict[str, Any]:
    """An item with its conditions."""
    labels = [*asked.conditions, *conditions(given)]
    return item | ({"label": labels[0] if len(labels) == 1 else labels} if labels else {})


def bearable(given: Given, key: str) -> float | None:
    """An interval between two questions; one that is too short is the shortest there is, and says so."""
    seconds = given.number(key)
    if seconds is None or seconds >= LEAST:
        return seconds
    given.note(key, f"is {LEAST:g} s: nobody is asked more often")
    return LEAST
