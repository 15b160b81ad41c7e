"""Containers in, services out. Only what a change touches is built anew; everything else stays the identical object.

A `Builder` holds what each container contributes (`drafts`), and the services made of it. The result depends only on
the containers held, never on the order or history of changes: it equals what a new builder would make of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from longshore.core.containers import Container
from longshore.core.drafts import Contribution, Draft, OperatorService, Options, contribution_of, differences, standing
from longshore.core.grouping import told_apart
from longshore.core.labels import PREFIX
from longshore.core.model import Endpoint, Problem, Service
from longshore.core.sharing import Held
from longshore.core.spec import default_route

__all__ = ["Builder", "OperatorService", "Options", "build"]


def build(containers: Iterable[Container], options: Options) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
    """Make services of containers, from nothing."""
    builder = Builder(options)
    builder.replace_all(containers)
    return builder.build()


class Builder:
    """The services of one source's containers, kept up to date change by change."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._held = Held(self._contribute)
        self._contributions: dict[str, Contribution] = {}
        self._drafts: dict[str, dict[str, list[Draft]]] = {}  # group name → container id → drafts
        self._groups: dict[str, tuple[Service, ...]] = {}  # group name → its services
        self._claims: dict[str, dict[str, Service]] = {}  # service name → group name → service; hardly ever two
        self._troubles: dict[str, tuple[Problem, ...]] = {}  # what has problems → these
        self._services: dict[str, Service] = {}  # who has each name
        self._sorted = True  # whether these are in order
        self._touched: set[str] = set()  # names of groups to build anew
        self._built: tuple[tuple[Service, ...], tuple[Problem, ...]] | None = None
        for service in options.operator:
            self._draft("", standing(service))

    def set(self, container: Container) -> None:
        """Add a container, or replace what was known of it."""
        self._held.set(container)

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        self._held.remove(container_id)

    def replace_all(self, containers: Iterable[Container]) -> None:
        """Hold exactly these containers."""
        self._held.replace_all(containers)

    def build(self) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
        """Give all services, sorted by name, and all problems."""
        if self._built is None or self._touched:
            for group in self._touched:
                self._build_group(group)
            self._touched.clear()
            if not self._sorted:
                self._services = dict(sorted(self._services.items()))
                self._sorted = True
            problems = {problem for found in self._troubles.values() for problem in found}
            self._built = tuple(self._services.values()), tuple(sorted(problems, key=_by_text))
        return self._built

    def _contribute(self, container_id: str) -> None:
        """Draft a container anew."""
        self._built = None
        for draft in self._contributions.pop(container_id, Contribution()).drafts:
            self._drafts[draft.group.name].pop(container_id, None)
            self._touched.add(draft.group.name)
        if (container := self._held.get(container_id)) is None:
            self._note(f"container {container_id}", ())
            return
        after = contribution_of(container, self._options, self._held.through(container))
        self._contributions[container_id] = after
        self._note(f"container {container_id}", after.problems)
        for draft in after.drafts:
            self._draft(container_id, draft)

    def _draft(self, container_id: str, draft: Draft) -> None:
        self._drafts.setdefault(draft.group.name, {}).setdefault(container_id, []).append(draft)
        self._touched.add(draft.group.name)

    def _build_group(self, group: str) -> None:
        """Make the services of all drafts with one group name; containers of one image may be several services."""
        before = {service.name: service for service in self._groups.pop(group, ())}
        drafts = [draft for one in self._drafts.get(group, {}).values() for draft in one]
        shapes = {draft.routes for draft in drafts}
        named = {draft.routes for draft in drafts if not draft.group.by_image}
        members: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            apart = len(shapes) > 1 and draft.routes not in named
            members[told_apart(group, draft.routes) if apart else group].append(draft)
        problems: list[Problem] = []
        after: dict[str, Service] = {}
        for name, parts in sorted(members.items()):
            service, found = _service(name, parts, self._options.source)
            same = before.get(name)
            after[name] = same if same is not None and same == service else service
            problems += found
        self._note(f"group {group}", tuple(problems))
        if after:
            self._groups[group] = tuple(after.values())
        else:
            self._drafts.pop(group, None)
        self._claim(group, before, after)

    def _claim(self, group: str, before: dict[str, Service], after: dict[str, Service]) -> None:
        """Enter the services of a group under their names."""
        for name in before.keys() | after.keys():
            claims = self._claims.setdefault(name, {})
            claims.pop(group, None)
            if name in after:
                claims[group] = after[name]
            if claims:
                self._sorted &= name in self._services
                self._services[name] = _winner(name, claims)
            else:
                del self._claims[name], self._services[name]
            self._note(f"name {name}", (_contested(name, claims),) if len(claims) > 1 else ())

    def _note(self, what: str, problems: tuple[Problem, ...]) -> None:
        if problems:
            self._troubles[what] = problems
        else:
            self._troubles.pop(what, None)


def _by_text(problem: Problem) -> tuple[str, ...]:
    return problem.where, problem.what, problem.service, problem.hint


def _service(name: str, drafts: list[Draft], source: str) -> tuple[Service, list[Problem]]:
    """Put the drafts of one service together. Where they differ, the newest that is ready decides."""
    drafts.sort(key=lambda draft: (draft.rank[2:], draft.endpoint.id if draft.endpoint else ""))
    chosen = max(drafts, key=lambda draft: draft.rank)
    endpoints: dict[str, Endpoint] = {}
    for draft in drafts:
        if draft.endpoint is not None:
            endpoints.setdefault(draft.endpoint.id, draft.endpoint)
    routes = chosen.routes or (default_route(name),)
    service = Service(name, chosen.mode, routes, chosen.policy, tuple(endpoints.values()), (source,))
    return service, [problem for draft in drafts if (problem := _difference(name, draft, chosen)) is not None]


def _difference(service: str, draft: Draft, chosen: Draft) -> Problem | None:
    if draft is chosen or (draft.mode, draft.routes, draft.policy) == (chosen.mode, chosen.routes, chosen.policy):
        return None
    operator, ready, *_ = chosen.rank
    if operator and not draft.rank[0]:
        who = "the configuration, which decides"
    elif draft.container == chosen.container:
        who = "another label of the same container, which decides"
    else:
        why = "ready" if ready and not draft.rank[1] else "newer"
        who = f"container {chosen.container}, which is {why} and decides"
    keys = ", ".join(PREFIX + key for key in differences(draft, chosen))
    return Problem(
        f"container {draft.container}",
        f"says something else of service {service} than {who}: {keys}",
        f"make them equal, or name another service with {PREFIX}service",
        service,
    )


def _winner(name: str, claims: dict[str, Service]) -> Service:
    """Give the service that has a name: that of the group with just this name, else of the first group."""
    return claims[name] if name in claims else claims[min(claims)]


def _contested(name: str, claims: dict[str, Service]) -> Problem:
    others = ", ".join(sorted(group for group in claims if claims[group] is not _winner(name, claims)))
    return Problem(
        f"service {name}",
        f"different groups of containers come to this name; those of {others} are left out",
        f"name their service with {PREFIX}service",
        name,
    )
