"""Conditions on labels, as filters say them: `tier` (has it), `tier=web`, `tier!=web` (also true without it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.core.values import RefusedError, shown, text


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `value` None asks only whether the label is there."""

    key: str
    value: str | None = None
    unlike: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil it."""
        if self.value is None:
            return self.key in labels
        return (labels.get(self.key) == self.value) is not self.unlike


def read(word: str) -> Condition:
    """Read a condition. Raises RefusedError."""
    word = text(word)
    key, equals, value = word.partition("=")
    unlike = bool(equals) and key.endswith("!")
    key = key.removesuffix("!").strip() if unlike else key.strip()
    if not key:
        raise RefusedError(f"{shown(word)} names no label", 'write "tier", "tier=web" or "tier!=web"')
    return Condition(key, value.strip() if equals else None, unlike)


def condition(word: str) -> str:
    """Check a condition; it stays text."""
    read(word)
    return word
