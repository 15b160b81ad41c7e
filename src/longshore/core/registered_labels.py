"""What the labels of a registry entry say. Replicas carry the same labels: they are read once, and share one Spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from longshore.core import spec, values
from longshore.core.layouts import payload
from longshore.core.model import Mode, Policy, Route
from longshore.core.spec import Fault, Spec

PREFIX = "longshore."
LARGEST = 4096  # characters of labels that are remembered
Labels = tuple[tuple[str, str], ...]
Parts = tuple[Mode, tuple[Route, ...], Policy]


@dataclass(frozen=True, slots=True)
class Said:
    """All labels in our spelling, and what ours say: None with faults if something is wrong."""

    labels: Mapping[str, str]
    own: Spec | None
    faults: tuple[Fault, ...]
    parts: Parts


def labels_said(labels: Labels) -> Said:
    """Read the labels of an entry."""
    return _remembered(labels) if sum([len(value) for _, value in labels]) < LARGEST else _understood(labels)


def _understood(labels: Labels) -> Said:
    spelled = {payload.label_key(label): value for label, value in labels}
    ours = {label[len(PREFIX) :]: spelled[label] for label in sorted(spelled) if label.startswith(PREFIX)}
    own, faults = spec.check(ours)
    return Said(spelled, own, faults, parts_of(own or Spec()))


@lru_cache(maxsize=2048)
def parts_of(said: Spec) -> Parts:
    """Give mode, routes and policy."""
    return spec.service_parts(said)


_remembered = lru_cache(maxsize=2048)(_understood)
name_of = lru_cache(maxsize=2048)(values.name)
