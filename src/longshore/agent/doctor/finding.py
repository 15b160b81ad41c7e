"""What a doctor says: trouble with its cure, or that something is fine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from longshore.core.model import Problem


class Said(Protocol):
    """A failure that was put into words."""

    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    where: str  # "etcd", "HAProxy", "compose.yaml:12"
    what: str
    hint: str = ""  # the cure
    fine: bool = False


def fine(where: str, what: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(where, what, fine=True)


def of_fault(where: str, fault: Said) -> Finding:
    """Say what a client said of its failure."""
    return Finding(where, fault.what, fault.hint)


def of_problems(problems: Iterable[Problem]) -> list[Finding]:
    """Say what the rest of longshore calls a problem."""
    return [Finding(problem.where, problem.what, problem.hint) for problem in problems]


def at_most(count: int, findings: list[Finding], where: str, things: str) -> list[Finding]:
    """Shorten a list that says the same of many things."""
    if len(findings) <= count:
        return findings
    more = Finding(where, f"{len(findings) - count:,} more {things}", "mend those above, and look again")
    return [*findings[:count], more]


def counted(count: int, thing: str) -> str:
    """Count things: "1 endpoint", "2 endpoints"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
