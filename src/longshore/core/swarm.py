"""A Swarm's records in, services out. What did not change stays the identical object.

A `Swarm` holds what the manager said last and knows what follows from it: which tasks are on their way out although
the manager does not list them any more, and whether anything is under way that is worth looking at again soon.

A task that the Swarm wants to shut down is stopping from that moment on, long before its container gets a signal. Not
so the tasks of a node that is down: nobody can shut them down, they may well run, and their replacements are yet to
come. They stay as they were, for HAProxy's check to judge, until another runs in their place or the node comes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from longshore.core.drafts import Options
from longshore.core.labels import PREFIX
from longshore.core.model import Endpoint, Problem, Service
from longshore.core.swarm_parts import Contribution, Part, contribution_of, standing
from longshore.core.swarm_records import Node, SwarmService, Task, read_node, read_service, read_task, version_of

Document = Mapping[str, Any]
_R = TypeVar("_R", Node, SwarmService, Task)
_Inputs = tuple[SwarmService, tuple[Task, ...], tuple[Node | None, ...], Options]


class Swarm:
    """Everything known of one Swarm."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._nodes: dict[str, Node] = {}
        self._services: dict[str, SwarmService] = {}
        self._tasks: dict[str, Task] = {}
        self._troubles: dict[str, tuple[Problem, ...]] = {}  # kind of record → those that cannot be read
        self._contributions: dict[str, tuple[_Inputs, Contribution]] = {}
        self._built: dict[str, Service] = {}

    @property
    def options(self) -> Options:
        """How services are made, and from where they are reached."""
        return self._options

    def situate(self, options: Options) -> None:
        """Say anew where longshore itself is."""
        self._options = options

    def take_nodes(self, documents: Iterable[Document]) -> None:
        """Take all nodes."""
        self._nodes = self._read("node", documents, self._nodes, read_node)

    def take_services(self, documents: Iterable[Document]) -> None:
        """Take all services."""
        self._services = self._read("service", documents, self._services, read_service)

    def take_running(self, documents: Iterable[Document]) -> None:
        """Take all tasks that the Swarm wants to run. Those known before that are not among them are leaving."""
        found = self._read("task", documents, self._tasks, read_task)
        leaving = {
            identity: task if not task.wanted else replace(task, wanted=False)
            for identity, task in self._tasks.items()
            if identity not in found and not task.ended
        }
        self._tasks = found | leaving

    def take_leaving(self, asked: Iterable[str], documents: Iterable[Document]) -> None:
        """Take what the manager says of the tasks that are leaving; those that it does not know any more are gone."""
        known = {identity: self._tasks[identity] for identity in asked if identity in self._tasks}
        found = self._read("leaving task", documents, known, read_task)
        for identity in known:
            task = found.get(identity)
            if task is None or task.ended:
                del self._tasks[identity]
            else:
                self._tasks[identity] = task

    @property
    def leaving(self) -> tuple[str, ...]:
        """The ids of tasks that are on their way out."""
        return tuple(identity for identity, task in self._tasks.items() if not task.wanted)

    @property
    def updating(self) -> bool:
        """Whether an update or a roll-back is under way: the next task may have to leave at any moment."""
        return any(service.updating for service in self._services.values())

    @property
    def settled(self) -> bool:
        """Whether every service has as many running tasks as it wants, and none is leaving."""
        running: dict[str, int] = defaultdict(int)
        for task in self._tasks.values():
            if not (task.wanted and task.runs) and not self._unreachable(task):
                return False
            running[task.service] += task.wanted and task.runs
        return all(service.copies in (None, running[identity]) for identity, service in self._services.items())

    @property
    def puzzling(self) -> bool:
        """Whether there are tasks of a service that is not known: it is new, and its event did not come."""
        return any(task.wanted and task.service not in self._services for task in self._tasks.values())

    def containers(self) -> Mapping[str, Task]:
        """Give the tasks by the ids of their containers."""
        return {task.container: task for task in self._tasks.values() if task.container}

    def build(self) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
        """Give all services, sorted by name, and all problems."""
        parts: dict[str, list[Part]] = defaultdict(list)
        problems = {problem for found in self._troubles.values() for problem in found}
        for operator in self._options.operator:
            parts[operator.name].append(standing(operator))
        for contribution in self._contribute():
            problems |= set(contribution.problems)
            for part in contribution.parts:
                parts[part.name].append(part)
        built = {}
        for name, found in sorted(parts.items()):
            service, differences = _together(name, found, self._options.source)
            before = self._built.get(name)
            built[name] = before if before is not None and before == service else service
            problems |= set(differences)
        self._built = built
        return tuple(built.values()), tuple(sorted(problems, key=lambda each: (each.where, each.what, each.service)))

    def _contribute(self) -> list[Contribution]:
        """Make what each service contributes, anew only where something it is made of is new."""
        tasks: dict[str, list[Task]] = defaultdict(list)
        for task in self._kept():
            tasks[task.service].append(task)
        contributions = {}
        for identity, service in self._services.items():
            own = tuple(sorted(tasks[identity], key=lambda task: task.id))
            inputs = (service, own, tuple(self._nodes.get(task.node) for task in own), self._options)
            before = self._contributions.get(identity)
            if before is None or before[0] != inputs:
                before = inputs, contribution_of(service, own, self._nodes, self._options)
            contributions[identity] = before
        self._contributions = contributions
        return [contribution for _, contribution in contributions.values()]

    def _kept(self) -> Iterable[Task]:
        """Give the tasks that count. Those that only lost their node are wanted until another runs in their place."""
        replaced = {_place(task) for task in self._tasks.values() if task.wanted and task.runs}
        for task in self._tasks.values():
            if task.wanted or not self._unreachable(task):
                yield task
            elif task.runs and _place(task) not in replaced:
                yield replace(task, wanted=True)

    def _unreachable(self, task: Task) -> bool:
        node = self._nodes.get(task.node)
        return node is not None and node.state != "ready"

    def _read(
        self, kind: str, documents: Iterable[Document], before: Mapping[str, _R], read: Callable[[Document], _R]
    ) -> dict[str, _R]:
        """Read documents; the records of those that are unchanged are kept as they are."""
        found: dict[str, _R] = {}
        problems = []
        for document in documents:
            try:
                identity, version = version_of(document)
                known = before.get(identity)
                found[identity] = known if known is not None and known.version == version > 0 else read(document)
            except (ValueError, TypeError, AttributeError) as error:
                what = f"the manager describes it in a way that cannot be read: {error}"
                problems.append(Problem(f"swarm {kind} {str(document.get('ID', ''))[:12]}".rstrip(), what))
        self._troubles[kind] = tuple(problems)
        return found


def _place(task: Task) -> tuple[str, object]:
    """What a task's replacement has in common with it: its slot, or in a global service its node."""
    return task.service, task.slot or task.node


def _together(name: str, parts: list[Part], source: str) -> tuple[Service, list[Problem]]:
    """Put the parts of one service together. Where they differ, the operator decides, else the newest."""
    chosen = max(parts, key=lambda part: part.rank)
    endpoints: dict[str, Endpoint] = {}
    problems = []
    for part in sorted(parts, key=lambda part: part.rank[1:]):
        for endpoint in part.endpoints:
            endpoints.setdefault(endpoint.id, endpoint)
        differs = (part.mode, part.routes, part.policy) != (chosen.mode, chosen.routes, chosen.policy)
        if differs and part.origin not in ("", chosen.origin) and not chosen.rank[0]:
            where = f"swarm service {part.origin}"
            what = (
                f"says something else of service {name} than swarm service {chosen.origin}, which is newer and decides"
            )
            problems.append(
                Problem(where, what, f"make them equal, or name another service with {PREFIX}service", name)
            )
    service = Service(name, chosen.mode, chosen.routes, chosen.policy, tuple(endpoints.values()), (source,))
    return service, problems
