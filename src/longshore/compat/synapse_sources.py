"""Engines, ensembles, nameservers and APIs that a Synapse configuration names again and again: each becomes one source.

A source is named after its type and the first host it is reached at, so that the name stays when others come and go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.compat.given import At
from longshore.config.problems import Place


@dataclass(slots=True)
class Sources:
    """The sources so far, in our terms."""

    said: dict[str, At] = field(default_factory=dict)  # name → settings
    _names: dict[str, str] = field(default_factory=dict)  # settings → name

    def named(self, kind: str, reached: str, place: Place, settings: Mapping[str, Any]) -> str:
        """The name of the source with these settings, a new one if there is none; `reached` is its first host."""
        plain = {key: value for key, value in settings.items() if value not in (None, "", [])}
        identity = f"{kind} {sorted((key, str(_bare(value))) for key, value in plain.items())}"
        if identity not in self._names:
            self._names[identity] = self._free(kind, reached)
            self.said[self._names[identity]] = At({"type": kind, **plain}, place)
        return self._names[identity]

    def _free(self, kind: str, reached: str) -> str:
        tidy = re.sub(r"[^A-Za-z0-9.]+", "-", reached).strip("-.")[:60]
        name = f"{kind}-{tidy}" if tidy else kind
        taken = [other for other in self.said if other == name or re.fullmatch(rf"{re.escape(name)}-[0-9]+", other)]
        return f"{name}-{len(taken) + 1}" if taken else name


def _bare(value: Any) -> Any:
    if isinstance(value, At):
        return _bare(value.value)
    return [_bare(one) for one in value] if isinstance(value, list) else value
