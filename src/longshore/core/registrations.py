"""Containers in, registrations out. Only a touched container is made anew; everything else stays the identical object.

`Registrations` is the builder of the registrar's picture of the engine, as `build.Builder` is that of a source's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from longshore.core import registration_docker_register, registration_of, registration_registrator
from longshore.core.containers import Container
from longshore.core.model import Problem
from longshore.core.registration import Metadata, Options, Registration
from longshore.core.registration_making import Contribution, delay_hint
from longshore.core.sharing import Held

MAKERS: dict[Metadata, Callable[[Container, Options, Container | None], Contribution]] = {
    "longshore": registration_of.registration_of,
    "registrator": registration_registrator.registration_of,
    "docker-register": registration_docker_register.registration_of,
}


class Registrations:
    """The registrations of all containers of one engine."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._make = MAKERS[options.metadata]
        self._held = Held(self._contribute)
        self._contributions: dict[str, Contribution] = {}  # by container id; none that is empty
        self._built: tuple[tuple[Registration, ...], tuple[Problem, ...]] | None = None

    def set(self, container: Container) -> None:
        """Add a container, or replace what was known of it."""
        self._held.set(container)

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        self._held.remove(container_id)

    def replace_all(self, containers: Iterable[Container]) -> None:
        """Hold exactly these containers."""
        self._held.replace_all(containers)

    def build(self) -> tuple[tuple[Registration, ...], tuple[Problem, ...]]:
        """Give all registrations and all problems."""
        if self._built is None:
            made = tuple(each for one in self._contributions.values() for each in one.registrations)
            problems = {problem for one in self._contributions.values() for problem in one.problems}
            problems.update((*self._undelayed(), *self._unpublished()))
            self._built = made, tuple(sorted(problems, key=lambda problem: (problem.where, problem.what)))
        return self._built

    def _contribute(self, container_id: str) -> None:
        """Make the registrations of a container anew."""
        before = self._contributions.pop(container_id, Contribution())
        after = Contribution()
        if (container := self._held.get(container_id)) is not None:
            after = _kept(before, self._make(container, self._options, self._held.through(container)))
        if after != Contribution():
            self._contributions[container_id] = after
        if after != before:
            self._built = None

    def _undelayed(self) -> tuple[Problem, ...]:
        """Say once that `register.deregister-delay` is of no use to some."""
        listed = self._named({each for each, one in self._contributions.items() if one.undelayed})
        what = f"deregister-delay cannot put off the end of containers that end at their stop signal: {listed}"
        return (Problem("register", what, delay_hint()),) if listed else ()

    def _unpublished(self) -> tuple[Problem, ...]:
        """Say once that some publish no port."""
        listed = self._named({each for each, one in self._contributions.items() if one.unpublished})
        what = f"containers that publish no port are not registered: {listed}"
        hint = "publish one (-p 8000), or leave them out: longshore.register=false"
        return (Problem("register", what, hint),) if listed else ()

    def _named(self, identities: Iterable[str]) -> str:
        """The names of some containers, for people."""
        names = sorted(container.name for each in identities if (container := self._held.get(each)))
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _kept(before: Contribution, after: Contribution) -> Contribution:
    """Keep the objects that did not change."""
    if before == after:
        return before
    known = {each.key: each for each in before.registrations}
    same = tuple(known[each.key] if known.get(each.key) == each else each for each in after.registrations)
    return replace(after, registrations=same)
