"""What a registry entry says of its service while the operator's `services:` decides: said, so that nobody wonders."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from longshore.core.model import Problem
from longshore.core.registered_labels import PREFIX
from longshore.core.spec import Spec
from longshore.core.values import shown


def unheard(
    service: str, labels: Mapping[str, str], own: Spec, keys: Collection[str], picked: str, decides: Spec
) -> Problem | None:
    """Give the problem, if labels among `keys` say something else. Replicas say the same, and so make one problem."""
    found = [key for key in sorted(keys) if getattr(own, _field(key)) != getattr(decides, _field(key))]
    if not found:
        return None
    said = ", ".join(f"{key} {shown(labels[PREFIX + key], 80)[1:-1]}" for key in found)
    return Problem(
        f"service {picked}",
        f"{shown(service)[1:-1]} is registered with {said}, but services.{picked} of the configuration decides",
        f"say it in services.{picked}, or remove that: the service then comes by itself",
        picked,
    )


def _field(key: str) -> str:
    return key.replace("-", "_")
