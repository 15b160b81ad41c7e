"""Services that HAProxy would not take: set aside one by one, so that none of them harms another.

When a reload is refused, every service it was for is a suspect. All are set aside, then tried again one at a time; who
is refused alone stays aside until it changes, or something that its lines may name does: another service with lines of
its own, a line of the process. In its place is the last version that worked, with today's endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from longshore.core.model import Problem, Service
from longshore.core.raw import RawProcess
from longshore.core.running import Running
from longshore.core.wanted import Wanted, own_frontends


@dataclass(slots=True)
class Quarantine:
    """Who is set aside, and why."""

    _good: dict[str, Service] = field(default_factory=dict)  # versions that HAProxy took
    _aside: dict[str, tuple[Service, str]] = field(default_factory=dict)  # the refused version, and HAProxy's words
    _blamed: dict[str, Problem] = field(default_factory=dict)  # of these, those with lines of their own that are meant
    _trial: str = ""  # the one that is being tried alone
    _untried: list[str] = field(default_factory=list)
    _seen: tuple[tuple[Service, ...], RawProcess | None] = ((), None)  # what was to be admitted last
    _around: object = None  # what those set aside could name when they were refused

    def admit(self, services: tuple[Service, ...], process: RawProcess | None = None) -> tuple[Service, ...]:
        """What HAProxy should be given: the services, with the last good version of those that are set aside.

        `process` are the process's own lines, as they are said.
        """
        self._seen = services, process
        if not self._aside:
            return services
        for name in self._aside.keys() - {service.name for service in services}:
            del self._aside[name]
            self._blamed.pop(name, None)
            self._good.pop(name, None)
            self._trial = "" if self._trial == name else self._trial
        if self._around != _around(services, process):
            self.judge_again()
            return services
        given = []
        for service in services:
            refused = self._aside.get(service.name)
            if refused and not _same_shape(refused[0], service):
                del self._aside[service.name]
                self._blamed.pop(service.name, None)
                refused = None
            if refused is None or service.name == self._trial:
                given.append(service)
            elif good := self._good.get(service.name):
                if good.endpoints is not service.endpoints:
                    good = self._good[service.name] = replace(good, endpoints=service.endpoints)
                given.append(good)
        return tuple(given)

    def judge_again(self) -> None:
        """Give everybody to HAProxy again: what it refused may be right by now."""
        self._aside.clear()
        self._blamed.clear()
        self._untried.clear()
        self._trial = ""

    def refused(self, suspects: Iterable[Service], why: str) -> bool:
        """HAProxy refused what was given. True if there is something else to give now: fewer, or one alone."""
        self._around = _around(*self._seen)
        if self._trial:
            name, self._trial = self._trial, ""
            self._aside[name] = (self._aside[name][0], why)
        else:
            new = [s for s in suspects if s.name not in self._aside]
            if not new:
                return bool(self._untried)
            for service in new:
                self._aside[service.name] = (service, why)
            self._untried = [s.name for s in new] if len(new) > 1 else []
        return True

    def blame(self, services: Iterable[Service], problems: Iterable[Problem]) -> bool:
        """HAProxy refused lines of these services, and said which: nobody else is suspected.

        If these are lines of a version that it took once, such as when a backend that they name is gone, there is no
        good version any more. True if there is something else to give now.
        """
        said = {problem.service: problem for problem in reversed(tuple(problems))}
        other = False
        self._around = _around(*self._seen)
        for service in services:
            if service.name not in said:
                continue
            if service.name not in self._blamed:
                other = True
                self._aside[service.name] = (service, said[service.name].what)
                self._blamed[service.name] = said[service.name]
                self._trial = "" if self._trial == service.name else self._trial
            elif self._good.pop(service.name, None) is not None:
                other = True
        return other

    def taken(self, services: Iterable[Service]) -> bool:
        """HAProxy took what was given: `services` are those that are other than last time.

        True if somebody set aside should be tried now.
        """
        if self._trial:
            self._aside.pop(self._trial, None)
            self._blamed.pop(self._trial, None)
            self._trial = ""
        for service in services:
            if service.name not in self._aside:
                self._good[service.name] = service
        while self._untried:
            name = self._untried.pop()
            if name in self._aside:
                self._trial = name
                return True
        return False

    def forget(self, names: Iterable[str]) -> None:
        """Drop services that are not given any more, unless that is because they were set aside."""
        for name in names:
            if name not in self._aside:
                self._good.pop(name, None)

    @property
    def unserved(self) -> frozenset[str]:
        """Those set aside that no version of is served."""
        return frozenset(self._aside.keys() - self._good.keys())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What people must know of those set aside."""
        return tuple(
            self._problem(name, why)
            for name, (_, why) in self._aside.items()
            if name != self._trial and name not in self._untried
        )

    def _problem(self, name: str, why: str) -> Problem:
        known = self._blamed.get(name)
        where, what = (known.where, known.what) if known else (f"service {name}", f"HAProxy does not accept it: {why}")
        hint = "Its last version that worked stays in use." if name in self._good else "It is not served."
        return Problem(where, what, hint, name)


@dataclass(slots=True)
class LineGate:
    """The process's own lines: those that HAProxy refused are not given to it again, the last good ones are."""

    problems: tuple[Problem, ...] = ()
    _refused: RawProcess | None = None
    _good: RawProcess | None = None

    def admit(self, said: RawProcess) -> RawProcess:
        """What HAProxy should be given."""
        if self._refused == said and self._good is not None:
            return self._good
        self._refused, self.problems = None, ()
        return said

    def judge_again(self) -> None:
        """Give to HAProxy again what it refused."""
        self._refused = None

    def refused(self, given: RawProcess, running: RawProcess | None, problems: tuple[Problem, ...]) -> bool:
        """HAProxy refused lines among those given. False if there are no good ones to go back to."""
        good = self._good or running
        self.problems = problems or self.problems
        if not problems or good is None or good == given:
            return False
        self._refused, self._good = given, good
        return True

    def taken(self, given: RawProcess) -> None:
        """HAProxy took them."""
        self._good = given


def suspects(services: Iterable[Service], wanted: Wanted, running: Running | None) -> list[Service]:
    """Whose fault it may be that HAProxy refuses what is wanted: they bring a profile or an address that is new."""
    profiles = running.profiles if running else {}
    frontends = {frontend.name for frontend in running.frontends} if running else set()
    return [
        service
        for service in services
        if service.name in wanted.backends
        and (
            wanted.backends[service.name].profile.name not in profiles
            or wanted.backends[service.name].slots
            or any(f.name not in frontends for f in own_frontends([service], wanted.process.paths, {}))
        )
    ]


def _around(services: Iterable[Service], process: RawProcess | None) -> object:
    """All that lines of a service may name: sections, and what is declared for other services."""
    return process, {each.name: (each.raw, each.mode, each.routes) for each in services if each.raw is not None}


def _same_shape(one: Service, other: Service) -> bool:
    """Whether two versions would be refused alike: endpoints come and go, the rest decides."""
    if one is other:
        return True
    return (one.mode, one.routes, one.policy, one.template, one.raw) == (
        *(other.mode, other.routes, other.policy, other.template, other.raw),
    )
