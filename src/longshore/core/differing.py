"""What differs between two states of many things: found by identity, without a step of Python for what is the same.

Unchanged means the same object. So one pass that compares identities tells what a change touched, and a thousand
services take some microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import TypeVar

from longshore.core.model import Service

T = TypeVar("T")


def differing(before: Mapping[str, T], after: Mapping[str, T]) -> set[str]:
    """The keys whose value is another object, or which only one of the two has."""
    if before is after:
        return set()
    if len(before) == len(after) and list(before) == list(after):
        return set(compress(after, map(is_not, before.values(), after.values())))
    return {key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}


def exchanged(before: Sequence[Service], after: Sequence[Service]) -> list[Service] | None:
    """The services that are another object than at the same place before; None if other names are there now."""
    if before is after:
        return []
    if len(before) != len(after):
        return None
    pairs = list(compress(zip(before, after, strict=True), map(is_not, before, after)))
    return [new for _, new in pairs] if all(old.name == new.name for old, new in pairs) else None
