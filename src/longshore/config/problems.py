"""What is wrong with a configuration, and where: `file:line:column: path: what; hint`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from longshore.core.model import Problem
from longshore.core.values import shown

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """A path as people write it: "services.db.endpoints[0].port"."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part.isprintable() else shown(part))
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file, counted from 1, or an environment variable (line 0)."""

    file: str  # as the operator wrote it, or the name of the environment variable
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that must be mended in a configuration."""

    place: Place
    what: str  # "expected a duration like "10s", got "soon""
    steps: Path = ()  # the way to the value: ("haproxy", "hard-stop-after"); () when it is about the whole file
    hint: str = ""  # what to do next

    @property
    def path(self) -> str:
        """The way to the value as people write it: "haproxy.hard-stop-after", "" for the whole file."""
        return dotted(self.steps)

    @property
    def service(self) -> str:
        """The name of the service it is about, "" if it is about none."""
        steps = self.steps[1:] if self.steps[:2] == ("register", "services") else self.steps
        return str(steps[1]) if len(steps) > 1 and steps[0] == "services" else ""

    @property
    def text(self) -> str:
        """Path and what, without the place and the hint."""
        return f"{self.path}: {self.what}" if self.path else self.what

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" + (f"; {self.hint}" if self.hint else "")

    def as_problem(self) -> Problem:
        """The same in the vocabulary of the rest of the program."""
        return Problem(where=str(self.place), what=self.text, hint=self.hint, service=self.service)


class ConfigError(Exception):
    """The configuration cannot be used; `problems` says why, all of it at once."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(problems: Iterable[ConfigProblem]) -> tuple[ConfigProblem, ...]:
    """Sort by position, the environment last, each problem once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (not problem.place.line, *_rank(problem))))


def _rank(problem: ConfigProblem) -> tuple[str, int, int, str]:
    return problem.place.file, problem.place.line, problem.place.column, problem.path


def suggestion(word: str, known: Iterable[str]) -> str:
    """Say what was probably meant: 'did you mean "binary"?', or list what there is when nothing is close."""
    names = list(known)
    close = difflib.get_close_matches(word.lower().replace("_", "-"), names, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are: {', '.join(names)}" if names else ""
