"""What one container contributes: a draft for each of its services, or problems.

A draft is a container's view of a service: how the service is to be served, and this container's endpoint in it.
`build` puts the drafts of all containers together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from longshore.core import labels, spec
from longshore.core.address import Here, reach
from longshore.core.conditions import Condition
from longshore.core.containers import Container, Machine
from longshore.core.grouping import SERVICE, Group, engine_name, group_of, same_image, tidy
from longshore.core.model import Endpoint, EndpointState, Mode, Policy, Problem, Route
from longshore.core.spec import Spec
from longshore.core.values import RefusedError, shown, words

_LIVE = ("running", "paused", "restarting")
_ONE_OFF = "com.docker.compose.oneoff"
_ENDPOINT_KEYS = frozenset(
    {"enable", "service", "port", "network", "address", "weight", "backup", "zone"}
    | {"register", "register-address", "register-check", "deregister-delay"}
)


@dataclass(frozen=True, slots=True)
class OperatorService:
    """A service said in the configuration, made of containers that need no labels. All that is given must match."""

    name: str
    spec: Spec
    image: str | None = None  # with or without a tag
    labels: tuple[Condition, ...] = ()  # of the container
    service: str | None = None  # as the source groups it ("shop-web"), or as the Compose file names it ("web")
    port: int | None = None

    def takes(self, container: Container, group: Group) -> bool:
        """Whether the container, which belongs to this group by itself, belongs to this service."""
        names = (group.name, engine_name(container), container.labels.get(SERVICE))
        return bool(
            (self.image or self.labels or self.service)
            and (not self.image or same_image(container.image, self.image))
            and all(condition.holds(container.labels) for condition in self.labels)
            and (not self.service or self.service in names)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How one source makes services of containers."""

    source: str
    expose: Literal["labelled", "all"] = "labelled"
    group_by: str = "compose"
    here: Here = field(default_factory=Here)
    operator: tuple[OperatorService, ...] = ()
    machine: Machine = field(default_factory=Machine)  # the engine's host, if it is known


@dataclass(frozen=True, slots=True)
class Draft:
    """One container's view of one service. Without routes the service's name becomes the host."""

    group: Group
    spec: Spec
    mode: Mode
    routes: tuple[Route, ...]
    policy: Policy
    endpoint: Endpoint | None  # None while it has no address: between two starts
    container: str  # its name
    rank: tuple[bool, bool, float, str]  # the greatest decides: said by the operator, ready, the newest (created, id)

    @property
    def policy_keys(self) -> frozenset[str]:
        """The keys said that concern the whole service."""
        return self.spec.given - _ENDPOINT_KEYS


@dataclass(frozen=True, slots=True)
class Contribution:
    """All that comes from one container."""

    drafts: tuple[Draft, ...] = ()
    problems: tuple[Problem, ...] = ()


def contribution_of(container: Container, options: Options, through: Container | None = None) -> Contribution:
    """Give the drafts of a container. `through` is the container whose network it uses, if it has none of its own.

    The balancer itself, containers that do not run, and one-off ones (`docker compose run`) contribute nothing.
    """
    if (
        container.id == options.here.container
        or container.status not in _LIVE
        or container.labels.get(_ONE_OFF) == "True"
    ):
        return Contribution()
    where = f"container {_safe(container.name)}"
    said = labels.split(container.labels, where)
    if said.off:
        return Contribution()
    group = group_of(container, options.group_by)
    drafting = _Drafting(container, through or container, options, where)
    picked = [service for service in options.operator if service.takes(container, group)]
    for service in picked:
        drafting.add(service.spec, Group(service.name), service)
    for name, pairs in said.services.items():
        prefix = f"label {labels.PREFIX}{name}." if name else f"label {labels.PREFIX}"
        found, faults = _checked(tuple(pairs.items()))
        drafting.problems += [spec.problem_of(fault, where, prefix) for fault in faults]
        if found is not None and found.enable:
            wanted = name or found.service
            drafting.add(found, Group(wanted) if wanted else group)
    if options.expose == "all" and not (picked or said.services or said.problems) and _ports(container):
        drafting.add(Spec(), group)
    return Contribution(tuple(drafting.drafts), (*said.problems, *drafting.problems))


def standing(service: OperatorService) -> Draft:
    """Give the draft of a service that the operator said, as long as no container belongs to it."""
    mode, routes, policy = _parts(service.spec)
    return Draft(Group(service.name), service.spec, mode, routes, policy, None, "", (True, False, 0.0, ""))


@dataclass(slots=True)
class _Drafting:
    container: Container
    through: Container
    options: Options
    where: str
    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, said: Spec, group: Group, operator: OperatorService | None = None) -> None:
        """Draft one service; what is missing for it becomes a problem."""
        container = self.container
        try:
            port = (operator.port if operator else None) or said.port or self._only_port(said, operator)
            endpoint = self._endpoint(said, port)
        except RefusedError as refusal:
            self.problems.append(Problem(self.where, str(refusal), refusal.hint, group.name))
            return
        mode, routes, policy = _parts(said)
        ready = endpoint is not None and endpoint.state is EndpointState.READY
        rank = (operator is not None, ready, container.created, container.id)
        self.drafts.append(Draft(group, said, mode, routes, policy, endpoint, _safe(container.name), rank))

    def _only_port(self, said: Spec, operator: OperatorService | None) -> int:
        if said.address is not None and said.address.port:
            return said.address.port
        ports = _ports(self.container) or _ports(self.through)
        if len(ports) == 1:
            return ports[0]
        how = f"services.{operator.name}.from.port: " if operator else f"{labels.PREFIX}port="
        if ports:
            listed = words([str(port) for port in ports[:10]]) + (" …" if len(ports) > 10 else "")
            raise RefusedError(f"has several TCP ports: {listed}", f"say which: {how}{ports[0]}")
        raise RefusedError(
            "says no port: its image exposes no TCP port and none is published", f"say the container's port: {how}8000"
        )

    def _endpoint(self, said: Spec, port: int) -> Endpoint | None:
        container = self.container
        side = container if self.through is container else replace(self.through, labels=container.labels)
        try:
            reached = reach(side, port, said.address, said.network, self.options.here)
        except RefusedError:
            if container.status == "restarting" or container.stopping:
                return None  # it has no address between two starts
            raise
        state, why = state_of(container)
        machine = container.machine or self.options.machine
        return Endpoint(
            id=f"{container.id[:12]}:{port}",
            name=tidy(container.name) or container.id[:12],
            address=reached.address,
            port=reached.port,
            weight=100 if said.weight is None else said.weight,
            backup=bool(said.backup),
            state=state,
            reason="; ".join(filter(None, (reached.reason, why))),
            since=container.since,
            host=machine.name,
            zone=said.zone or machine.zone,
            proxied=reached.proxied,
        )


def state_of(container: Container) -> tuple[EndpointState, str]:
    """Give the state of a container's endpoints, and why it is not ready."""
    if container.stopping:
        return EndpointState.STOPPING, "its stop signal was sent"
    if container.status != "running":
        return EndpointState.WAITING, f"the container is {container.status}"
    if container.health in ("", "healthy"):
        return EndpointState.READY, "its HEALTHCHECK is healthy" if container.health else ""
    return EndpointState.WAITING, f"its HEALTHCHECK is {_safe(container.health)}"


def _ports(container: Container) -> list[int]:
    """Give the TCP ports of a container that it exposes or publishes."""
    exposed = {port for port, protocol in container.exposed if protocol == "tcp"}
    return sorted(exposed | {one.port for one in container.published if one.protocol == "tcp"})


def _checked(pairs: tuple[tuple[str, str], ...]) -> tuple[Spec | None, tuple[spec.Fault, ...]]:
    """Replicas carry the same labels: they are read once, and share one Spec. Oversized ones are not kept."""
    return _remembered(pairs) if sum(len(value) for _, value in pairs) < 4096 else spec.check(dict(pairs))


@lru_cache(maxsize=2048)
def _remembered(pairs: tuple[tuple[str, str], ...]) -> tuple[Spec | None, tuple[spec.Fault, ...]]:
    return spec.check(dict(pairs))


@lru_cache(maxsize=2048)
def _parts(said: Spec) -> tuple[Mode, tuple[Route, ...], Policy]:
    return spec.service_parts(said)


def _safe(name: str) -> str:
    return shown(name, 120)[1:-1]


def differences(draft: Draft, other: Draft) -> Iterable[str]:
    """Name the keys in which two drafts of one service differ, as far as they concern the whole service."""
    for key in sorted(draft.policy_keys | other.policy_keys):
        field_name = key.replace("-", "_")
        if getattr(draft.spec, field_name) != getattr(other.spec, field_name):
            yield key
