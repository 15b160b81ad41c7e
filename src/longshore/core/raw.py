"""Lines of the operator's own for HAProxy's configuration: of the process, and of services.

They come from longshore.yaml alone, never from labels or registries. Each remembers where it was written, so that a
refusal by HAProxy is told at that place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or some words of one."""

    text: str = ""
    place: str = field(default="", compare=False)  # "longshore.yaml:12:9"


@dataclass(frozen=True, slots=True)
class Raw:
    """What an operator says of a service in HAProxy's own words. Its backend is declared, on every version."""

    name: str  # of the backend
    frontend: tuple[Line, ...] = ()  # of the frontend of its own
    backend: tuple[Line, ...] = ()
    bind: Line = Line()  # words behind each address of its frontend
    server: Line = Line()  # words of each server; %{host}, %{port} and %{name} are filled in
    cookie: Literal["", "name", "hash"] = ""  # what stands behind `cookie` of each server
    routed: bool = True  # False: only other raw lines lead there
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RawSection:
    """A whole section, such as "listen stats"."""

    title: Line
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class RawProcess:
    """What an operator says of the process in HAProxy's own words."""

    globals: tuple[Line, ...] = ()
    defaults: tuple[Line, ...] = ()  # for raw services and for the sections
    sections: tuple[RawSection, ...] = ()
