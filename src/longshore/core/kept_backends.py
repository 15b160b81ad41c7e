"""Backends that nothing declares any more, and that lines of others still lead to: they stay, without servers.

HAProxy refuses a whole configuration for one `use_backend` that leads nowhere. Who named the backend would be set aside
for it, with its port; so the backend stays instead until no line names it, or somebody declares it again. Only HAProxy
says that one is missed: a word in a line may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from longshore.core.blame import Complaint, blame, named
from longshore.core.model import Mode, Problem, Service
from longshore.core.raw import Line, Raw, RawProcess
from longshore.core.running import Running
from longshore.core.wanted import Wanted

_WORD = re.compile(r"[A-Za-z0-9_.:-]+")
HINT = "The backend stays, without servers, for as long as lines lead there; who asks for it gets 503."


SOURCES = ("longshore:kept",)  # of the services that stand for these backends


@dataclass(slots=True)
class KeptBackends:
    """The backends that stay, by name."""

    _kept: dict[str, tuple[Service, Problem]] = field(default_factory=dict)
    _useless: set[str] = field(default_factory=set)  # HAProxy would not have them either

    def admit(self, services: tuple[Service, ...], process: RawProcess) -> tuple[Service, ...]:
        """The services, and one without endpoints for each backend that stays."""
        if not self._kept:
            return services
        there = {service.raw.name for service in services if service.raw}
        there |= {word for section in process.sections for word in section.title.text.split()[1:2]}
        said = {word for line in _lines(services, process) for word in _WORD.findall(line.text)}
        for name in [name for name in self._kept if name in there or name not in said]:
            del self._kept[name]
        taken = {service.name for service in services}
        for name, (service, problem) in self._kept.items():
            free = f"{name}.kept" if name in taken else name
            if service.name != free:
                self._kept[name] = replace(service, name=free), problem
        return (*services, *(service for service, _ in self._kept.values()))

    def refused(
        self, complaints: Sequence[Complaint], known: Mapping[str, Mode], wanted: Wanted, services: Iterable[Service]
    ) -> bool:
        """HAProxy refused what was given. True if it missed backends of those `known`, which stay from now on.

        One that stays already, and is complained of all the same, stays no longer.
        """
        missed = {name: complaint for complaint in complaints if complaint.fatal for name in _about(complaint)}
        other = False
        for name, complaint in missed.items():
            if name in self._kept:
                del self._kept[name]
                self._useless.add(name)
                other = True
            elif name in known and name not in self._useless:
                self._kept[name] = _empty(name, known[name]), _problem(name, complaint, wanted, services)
                other = True
        return other

    def judge_again(self) -> None:
        """Ask HAProxy again which are missed."""
        self._kept.clear()
        self._useless.clear()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Where lines lead to nobody."""
        return tuple(problem for _, problem in self._kept.values())


def without_kept(services: Iterable[Service]) -> list[Service]:
    """Those that somebody declares."""
    return [service for service in services if service.sources != SOURCES]


def known_backends(running: Running | None, services: Iterable[Service], wanted: Wanted) -> dict[str, Mode]:
    """Declared backends that are not wanted, with their modes: those that run, and those of services set aside."""
    known = {service.raw.name: service.mode for service in services if service.raw}
    for name, backend in running.backends.items() if running else ():
        if backend.raw and running and backend.profile in running.profiles:
            known[name] = running.profiles[backend.profile].mode
    there = {backend.raw.name for backend in wanted.backends.values() if backend.raw}
    return {name: mode for name, mode in known.items() if name not in there}


def _about(complaint: Complaint) -> set[str]:
    section = complaint.section.split()
    return named(complaint) | set(section[1:2] if section[:1] == ["backend"] else ())


def _empty(name: str, mode: Mode) -> Service:
    return Service(name, mode, sources=SOURCES, raw=Raw(name, routed=False, mode=mode))


def _problem(name: str, complaint: Complaint, wanted: Wanted, services: Iterable[Service]) -> Problem:
    found = blame([complaint], wanted, services)
    for problem in (*found.services, *found.process):
        return replace(problem, hint=HINT)
    return Problem(f"backend {name}", f"HAProxy does not accept this: {complaint.text}", HINT)


def _lines(services: Iterable[Service], process: RawProcess) -> Iterator[Line]:
    yield from process.globals
    yield from process.defaults
    for section in process.sections:
        yield from section.lines
    for service in services:
        if service.raw:
            yield from (*service.raw.frontend, *service.raw.backend, service.raw.bind, service.raw.server)
