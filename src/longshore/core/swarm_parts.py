"""What one Swarm service contributes: a part for each of the services that its labels ask for, or problems.

Labels of the service and labels of its containers say the same keys; where both say one, the service's wins: it is the
one that can be changed without new containers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from longshore.core import labels, spec
from longshore.core.containers import Container
from longshore.core.drafts import OperatorService, Options
from longshore.core.grouping import SWARM, Group, group_of, tidy
from longshore.core.model import Endpoint, EndpointState, Mode, Policy, Problem, Route
from longshore.core.spec import Spec
from longshore.core.swarm_reach import reach_task
from longshore.core.swarm_records import Node, SwarmService, Task
from longshore.core.values import RefusedError, shown, words


@dataclass(frozen=True, slots=True)
class Part:
    """One Swarm service's view of one service."""

    name: str
    spec: Spec
    mode: Mode
    routes: tuple[Route, ...]
    policy: Policy
    endpoints: tuple[Endpoint, ...]
    origin: str  # the Swarm service's name
    rank: tuple[bool, float, str]  # the greatest decides: said by the operator, the newest (created, id)


@dataclass(frozen=True, slots=True)
class Contribution:
    """All that comes from one Swarm service."""

    parts: tuple[Part, ...] = ()
    problems: tuple[Problem, ...] = ()


def contribution_of(
    service: SwarmService, tasks: Iterable[Task], nodes: Mapping[str, Node], options: Options
) -> Contribution:
    """Give the parts of a service. A service without tasks is one without endpoints."""
    where = f"swarm service {shown(service.name, 120)[1:-1]}"
    said = labels.split(service.labels, where)
    if said.off:
        return Contribution()
    own = [task for task in tasks if not (task.container and task.container == options.here.container)]
    group = Group(tidy(service.name) or service.id[:12])
    taking = _Taking(service, sorted(own, key=lambda task: (task.slot, task.id)), nodes, options, where)
    face = Container(service.id, service.name, service.image, {**service.labels, SWARM: service.name}, service.env)
    picked = [each for each in options.operator if each.takes(face, group_of(face, "compose"))]
    for operator in picked:
        taking.add(operator.spec, operator.name, operator)
    for name, pairs in said.services.items():
        prefix = f"label {labels.PREFIX}{name}." if name else f"label {labels.PREFIX}"
        found, faults = spec.check(pairs)
        taking.problems += [spec.problem_of(fault, where, prefix) for fault in faults]
        if found is not None and found.enable:
            taking.add(found, name or found.service or group.name)
    if options.expose == "all" and not (picked or said.services or said.problems) and service.ports:
        taking.add(Spec(), group.name)
    return Contribution(tuple(taking.parts), (*said.problems, *taking.problems))


def standing(operator: OperatorService) -> Part:
    """Give the part of a service that the operator said, as long as no Swarm service belongs to it."""
    mode, routes, policy = spec.service_parts(operator.spec, operator.name)
    return Part(operator.name, operator.spec, mode, routes, policy, (), "", (True, 0.0, ""))


@dataclass(slots=True)
class _Taking:
    service: SwarmService
    tasks: list[Task]
    nodes: Mapping[str, Node]
    options: Options
    where: str
    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, said: Spec, name: str, operator: OperatorService | None = None) -> None:
        """Take one service; what is missing for it becomes a problem, said once for all tasks."""
        try:
            port = (operator.port if operator else None) or said.port or self._only_port(said, operator)
        except RefusedError as refusal:
            self.problems.append(Problem(self.where, str(refusal), refusal.hint, name))
            return
        endpoints, refusals = [], dict[str, RefusedError]()
        for task in self.tasks:
            try:
                endpoint = self._endpoint(task, said, port)
            except RefusedError as refusal:
                refusals.setdefault(str(refusal), refusal)
            else:
                endpoints += [endpoint] if endpoint else []
        self.problems += [Problem(self.where, what, refusal.hint, name) for what, refusal in sorted(refusals.items())]
        mode, routes, policy = spec.service_parts(said, name)
        rank = (operator is not None, self.service.created, self.service.id)
        self.parts.append(Part(name, said, mode, routes, policy, tuple(endpoints), self.service.name, rank))

    def _only_port(self, said: Spec, operator: OperatorService | None) -> int:
        if said.address is not None and said.address.port:
            return said.address.port
        ports = sorted({port for port, _ in self.service.ports})
        if len(ports) == 1:
            return ports[0]
        how = f"services.{operator.name}.from.port: " if operator else f"{labels.PREFIX}port="
        if ports:
            listed = words([str(port) for port in ports[:10]]) + (" …" if len(ports) > 10 else "")
            raise RefusedError(f"publishes several TCP ports: {listed}", f"say which: {how}{ports[0]}")
        what = "says no port: it publishes none, and a Swarm does not tell what images expose"
        raise RefusedError(what, f"say the container's port: {how}8000")

    def _endpoint(self, task: Task, said: Spec, port: int) -> Endpoint | None:
        state, why = state_of(task)
        if state is None:
            return None
        node = self.nodes.get(task.node) or Node(task.node)
        reached = reach_task(task, node, self.service, port, said.address, said.network, self.options.here)
        if reached is None:
            return None
        place = str(task.slot) if task.slot else node.name or task.node
        return Endpoint(
            id=f"{task.id[:12]}:{port}",
            name=tidy(f"{self.service.name}.{place}"),
            address=reached.address,
            port=reached.port,
            weight=100 if said.weight is None else said.weight,
            backup=bool(said.backup),
            state=state,
            reason="; ".join(filter(None, (reached.reason, why))),
            since=task.since,
            host=node.name,
            zone=said.zone or node.zone,
            proxied=reached.proxied,
        )


def state_of(task: Task) -> tuple[EndpointState | None, str]:
    """Give the state of a task's endpoints, None if it has none, and why it is not ready."""
    if task.ended or not task.node:
        return None, ""
    if not task.wanted:
        return EndpointState.STOPPING, "the Swarm shuts the task down"
    if task.runs:
        return EndpointState.READY, ""
    return EndpointState.WAITING, f"the task is {task.state}"
