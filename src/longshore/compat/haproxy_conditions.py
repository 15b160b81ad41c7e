"""Conditions behind a rule (`if a b || !c`), to be narrowed by one more that must hold as well."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from longshore.compat.haproxy_words import joined
from longshore.core.values import RefusedError

MOST = 16  # alternatives of a condition; nobody reads more


@dataclass(frozen=True, slots=True)
class Condition:
    """Alternatives of terms, one of which must hold entirely. Always true: one alternative without terms."""

    alternatives: tuple[tuple[str, ...], ...] = ((),)

    def narrowed(self, term: str) -> Condition:
        """The same, and this term too."""
        return Condition(tuple((term, *terms) for terms in self.alternatives))

    def __str__(self) -> str:
        text = " || ".join(" ".join(terms) for terms in self.alternatives)
        return f" if {text}" if text else ""


def condition(parts: list[str]) -> Condition:
    """Read the words `if …` or `unless …`, or nothing."""
    if not parts:
        return Condition()
    if parts[0] not in ("if", "unless") or len(parts) < 2:
        raise RefusedError(
            f"{joined(parts)} is not understood", "expected `if` or `unless` with a condition, or nothing"
        )
    alternatives = _alternatives(parts[1:])
    if parts[0] == "unless":
        count = 1
        for terms in alternatives:
            count *= len(terms)
        if count > MOST:
            raise RefusedError("the condition behind `unless` is too long to turn around", "write it with `if`")
        alternatives = [[_not(term) for term in terms] for terms in product(*alternatives)]
    return Condition(tuple(map(tuple, alternatives)))


def _alternatives(parts: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    rest = iter(parts)
    negated = ""
    for part in rest:
        if part in ("or", "||"):
            found.append([])
            continue
        if part == "!":
            negated = "!"
            continue
        if part.removeprefix("!") == "{":
            inner = []
            for word in rest:
                if word == "}":
                    break
                inner.append(word)
            else:
                raise RefusedError("a `{` of the condition is not closed", "close it with ` }`")
            found[-1].append(negated + part + " " + joined(inner) + " }")
        else:
            found[-1].append(negated + joined([part]))
        negated = ""
    if not all(found):
        raise RefusedError(f"{joined(parts)} is no condition", "is something missing beside `or`?")
    return found


def _not(term: str) -> str:
    return term[1:] if term.startswith("!") else "!" + term
