"""Which of several names serves, by weights that a document says: one draw each time that they change.

The form of the document, and that each reader draws for itself, is that of Synapse's resolver `s3_toggle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from longshore.core.values import RefusedError, shown

USUAL = "primary"  # who serves until a document was read
Weights = Mapping[str, int]
FORM = "expected names with whole numbers: {primary: 90, next: 10}"


def weights(found: object) -> Weights:
    """Check the content of a document. Raises RefusedError."""
    if not isinstance(found, dict):
        raise RefusedError("is not a mapping of names", FORM)
    for name, weight in found.items():
        if not isinstance(name, str):
            raise RefusedError(f"has the name {shown(str(name))}, which is no text", FORM)
        if type(weight) is not int or weight < 0:
            raise RefusedError(f"gives {shown(name)} the weight {shown(str(weight))}", FORM)
    if not any(found.values()):
        raise RefusedError("gives nobody a weight" if found else "names nobody", FORM)
    return found


def draw(weights: Weights, number: Callable[[int], int]) -> str:
    """Draw a name; `number` gives any of 0, 1 … up to one less than what it is given."""
    left = number(sum(weights.values()))
    for name, weight in weights.items():
        if left < weight:
            return name
        left -= weight
    raise AssertionError("the number was too large")


def usual(names: Sequence[str]) -> str:
    """The name that serves until somebody says otherwise; "" if there is none."""
    return USUAL if USUAL in names else next(iter(names), "")
