"""Which of the operator's own lines HAProxy means when it refuses a configuration.

HAProxy says a line of haproxy.cfg, in which section it is tells whose it is; or it says no line at all, only the name
of a frontend or backend. What cannot be blamed on anybody's own line is left to `core.quarantine`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from longshore.core.model import Problem, Service
from longshore.core.raw import Line, RawProcess
from longshore.core.wanted import Wanted

_LONGEST = 200  # characters of a line that a complaint repeats
_HINT = "the configuration manual of this HAProxy says what it takes; `longshore render` shows the whole"


class Complaint(Protocol):
    """What HAProxy says about a configuration."""

    @property
    def text(self) -> str: ...  # noqa: D102

    @property
    def source(self) -> str: ...  # noqa: D102  the line, "" if it says none

    @property
    def section(self) -> str: ...  # noqa: D102  the first line of its section

    @property
    def fatal(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Blame:
    """Whose lines were refused."""

    process: tuple[Problem, ...] = ()
    services: tuple[Problem, ...] = ()  # each names its service


def blame(complaints: Iterable[Complaint], wanted: Wanted, services: Iterable[Service]) -> Blame:
    """Find whose lines HAProxy complains of."""
    process: list[Problem] = []
    of_services: list[Problem] = []
    own = [service for service in services if service.raw is not None and service.name in wanted.backends]
    for complaint in complaints:
        if not complaint.fatal:
            continue
        line = _of_process(complaint, wanted.process.raw)
        if line is not None:
            process.append(_problem(line, complaint))
            continue
        for service in own:
            line = _of_service(complaint, service, wanted)
            if line is not None:
                of_services.append(_problem(line, complaint, service.name))
                break
    return Blame(tuple(dict.fromkeys(process)), tuple(dict.fromkeys(of_services)))


def _problem(line: Line, complaint: Complaint, service: str = "") -> Problem:
    what = f"HAProxy does not accept this: {complaint.text}"
    return Problem(line.place or "haproxy.raw", f"{what} in: {line.text}" if line.text else what, _HINT, service)


def _of_process(complaint: Complaint, raw: RawProcess) -> Line | None:
    kind, *words = complaint.section.split() or [""]
    if kind == "global":
        return _among(raw.globals, complaint)
    ours = not words or words[0].startswith(("p-", "raw:"))
    if kind == "defaults" and ours and (line := _among(raw.defaults, complaint)) is not None:
        return line
    for section in raw.sections:
        if complaint.section and section.title.text == complaint.section:
            return _among(section.lines, complaint) or section.title
        if not complaint.section and any(word in named(complaint) for word in section.title.text.split()[1:2]):
            return _naming(section.lines, complaint) or section.title
    return None


def _of_service(complaint: Complaint, service: Service, wanted: Wanted) -> Line | None:
    raw = service.raw
    assert raw is not None
    frontends = {f.name for f in wanted.frontends if f.raw is not None and f.raw.backend == raw.name}
    if not complaint.section:
        said = named(complaint)
        if raw.name not in said and not frontends & said:
            return None
        return _naming((*raw.frontend, *raw.backend), complaint) or Line("", raw.place)
    kind, *words = complaint.section.split()
    name = words[0] if words else ""
    if kind == "backend" and name == raw.name:
        if complaint.source.startswith("server "):
            return raw.server if raw.server.text else Line("", raw.place)
        return _among(raw.backend, complaint) or Line("", raw.place)
    if kind == "frontend" and name in frontends:
        if complaint.source.startswith("bind ") and raw.bind.text:
            return raw.bind
        return _among(raw.frontend, complaint) or Line("", raw.place)
    return None


def _among(lines: Iterable[Line], complaint: Complaint) -> Line | None:
    """The line that is meant; ours may have added a word at its end."""
    return next((line for line in lines if complaint.source.startswith(line.text[:_LONGEST])), None)


def _naming(lines: Iterable[Line], complaint: Complaint) -> Line | None:
    """The line that holds one of the names that HAProxy says: "use_backend nowhere"."""
    said = named(complaint)
    return next((line for line in lines if said & set(line.text.split())), None)


def named(complaint: Complaint) -> set[str]:
    """The names that HAProxy puts in quotes, a server's with its backend's before a slash."""
    quoted = re.findall(r"'([^']+)'", complaint.text)
    return {part for name in quoted for part in _parts(name)}


def _parts(name: str) -> Iterator[str]:
    yield name
    yield name.partition("/")[0]
