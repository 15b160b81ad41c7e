"""Lines of the operator's own for HAProxy's configuration: of the process, and of services.

They come from longshore.yaml alone, never from labels or registries. Each remembers where it was written, so that a
refusal by HAProxy is told at that place.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    server: Line = Line()  # words of each server; %{host}, %{port}, %{name} and %{server} are filled in
    cookie: Literal["", "name", "hash"] = ""  # what stands behind `cookie` of each server
    routed: bool = True  # False: only other raw lines lead there
    mode: Literal["http", "tcp"] = "http"  # where no address of its own says it: of one that is not routed
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


@dataclass(frozen=True, slots=True)
class RawBackend:
    """A declared backend, as far as it is the operator's."""

    name: str
    lines: tuple[str, ...] = ()

    def owns(self, server: str) -> bool:
        """Whether a server of it stands in these lines: longshore leaves it alone."""
        words = [line.split() for line in self.lines]
        if any(each[:2] == ["server", server] for each in words):
            return True
        prefixes = [each[1] for each in words if each[0] == "server-template" and len(each) > 1]
        return any(server.startswith(prefix) and server.removeprefix(prefix).isdigit() for prefix in prefixes)


@dataclass(frozen=True, slots=True)
class RawFrontend:
    """A frontend that takes every request of its address to one declared backend."""

    backend: str
    bind: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawSaid:
    """All lines of the operator's own: of the process, and of services by their names."""

    process: RawProcess = RawProcess()
    services: Mapping[str, Raw] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.services) or self.process != RawProcess()
