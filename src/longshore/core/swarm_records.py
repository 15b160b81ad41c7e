"""A Swarm's nodes, services and tasks as neutral records, read from its manager's answers.

Source of facts: Docker Engine API 1.41, GET /nodes, /services, /tasks. The reader is tolerant: what is missing is
empty. ValueError says what cannot be read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.core.containers import moment
from longshore.core.places import ip

STACK = "com.docker.stack.namespace"
ZONE, ADDRESS = "longshore.zone", "longshore.address"
"""Labels of nodes: where a machine is, and where the balancer reaches it if not at the address the Swarm uses."""

EARLY = ("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting")
"""States of a task on its way, in order; then comes "running", and after it only ends."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the Swarm."""

    id: str
    name: str = ""
    address: str = ""  # IP at which its published ports are reached; "" if unknown
    zone: str = ""
    state: str = "ready"  # "down": the managers lost sight of it; what runs there may still run
    version: int = 0


@dataclass(frozen=True, slots=True)
class SwarmService:
    """A service as it was said."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)  # of the container and of the service, which wins
    env: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    ports: tuple[tuple[int, str], ...] = ()  # published TCP ports: the container's, and "host" or "ingress"
    copies: int | None = None  # how many tasks are wanted; None: as many as there are nodes for it
    updating: bool = False  # an update or a roll-back is under way
    created: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Attached:
    """A task's place in a network."""

    id: str
    name: str
    address: str  # "" in the host's network
    ingress: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One copy of a service: a container to be, that is, or that was."""

    id: str
    service: str  # the service's id
    node: str = ""  # the node's id, "" as long as it has no place
    slot: int = 0  # its number among the service's copies; 0 in a global service
    state: str = "running"
    wanted: bool = True  # whether the Swarm wants it to run
    container: str = ""
    networks: tuple[Attached, ...] = ()
    published: tuple[tuple[int, int], ...] = ()  # TCP ports with mode=host: the container's, the node's
    since: float = 0.0  # Unix seconds when it came into this state
    version: int = 0

    @property
    def runs(self) -> bool:
        """Whether its container runs, as far as is known."""
        return self.state == "running"

    @property
    def ended(self) -> bool:
        """Whether it will never run again."""
        return not self.runs and self.state not in EARLY


def version_of(document: Mapping[str, Any]) -> tuple[str, int]:
    """Give id and version of any object of a Swarm: with both equal, it is unchanged."""
    identity, index = document.get("ID"), objects(document, "Version").get("Index")
    if not isinstance(identity, str) or not identity:
        raise ValueError('has no "ID"')
    return identity, index if isinstance(index, int) else 0


def read_node(document: Mapping[str, Any]) -> Node:
    """Read one node."""
    identity, version = version_of(document)
    spec, status = objects(document, "Spec"), objects(document, "Status")
    labels = _labels(spec)
    manager = str(objects(document, "ManagerStatus").get("Addr") or "").rpartition(":")[0]
    places = (labels.get(ADDRESS, ""), str(status.get("Addr") or ""), manager)
    return Node(
        identity,
        str(objects(document, "Description").get("Hostname") or ""),
        next(filter(None, map(_reachable, places)), ""),
        labels.get(ZONE, ""),
        str(status.get("State") or "unknown"),
        version,
    )


def read_service(document: Mapping[str, Any]) -> SwarmService:
    """Read one service."""
    identity, version = version_of(document)
    spec = objects(document, "Spec")
    container = objects(spec, "TaskTemplate", "ContainerSpec")
    mode = objects(spec, "Mode")
    copies = objects(mode, "Replicated").get("Replicas")
    update = str(objects(document, "UpdateStatus").get("State") or "")
    lines = [str(line).partition("=") for line in _list(container.get("Env"))]
    return SwarmService(
        identity,
        str(spec.get("Name") or identity[:12]),
        {**_labels(container), **_labels(spec)},
        {key: value for key, _, value in lines},
        str(container.get("Image") or ""),
        tuple(sorted(set(_said_ports(objects(spec, "EndpointSpec"))))),
        copies if isinstance(copies, int) else None,
        update in ("updating", "rollback_started"),
        moment(document.get("CreatedAt")),
        version,
    )


def read_task(document: Mapping[str, Any]) -> Task:
    """Read one task."""
    identity, version = version_of(document)
    status = objects(document, "Status")
    slot = document.get("Slot")
    return Task(
        identity,
        str(document.get("ServiceID") or ""),
        str(document.get("NodeID") or ""),
        slot if isinstance(slot, int) else 0,
        str(status.get("State") or "").lower(),
        str(document.get("DesiredState") or "").lower() == "running",
        str(objects(status, "ContainerStatus").get("ContainerID") or ""),
        tuple(sorted(_attached(document), key=lambda each: each.name)),
        tuple(sorted(set(_host_ports(objects(status, "PortStatus"))))),
        moment(status.get("Timestamp")),
        version,
    )


def _attached(document: Mapping[str, Any]) -> Iterable[Attached]:
    for entry in _list(document.get("NetworksAttachments")):
        if not isinstance(entry, Mapping):
            continue
        network = objects(entry, "Network")
        spec = objects(network, "Spec")
        words = [str(word).partition("/")[0] for word in _list(entry.get("Addresses"))]
        addresses = sorted((found for word in words if (found := ip(word))), key=lambda found: ":" in found)
        name, ingress = str(spec.get("Name") or ""), bool(spec.get("Ingress"))
        yield Attached(str(network.get("ID") or ""), name, addresses[0] if addresses else "", ingress)


def _said_ports(spec: Mapping[str, Any]) -> Iterable[tuple[int, str]]:
    for port in _list(spec.get("Ports")):
        if isinstance(port, Mapping) and port.get("Protocol", "tcp") == "tcp" and _is_port(port.get("TargetPort")):
            yield port["TargetPort"], str(port.get("PublishMode") or "ingress")


def _host_ports(status: Mapping[str, Any]) -> Iterable[tuple[int, int]]:
    for port in _list(status.get("Ports")):
        if (
            isinstance(port, Mapping)
            and (port.get("Protocol", "tcp"), port.get("PublishMode", "host")) == ("tcp", "host")
            and _is_port(port.get("TargetPort"))
            and _is_port(port.get("PublishedPort"))
        ):
            yield port["TargetPort"], port["PublishedPort"]


def _is_port(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535


def _reachable(address: str) -> str:
    """Give an IP that other machines can use, else ""."""
    found = ip(address.removeprefix("[").removesuffix("]")) or ""
    return "" if found in ("0.0.0.0", "::", "::1") or found.startswith("127.") else found  # noqa: S104 - compared


def _labels(spec: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in objects(spec, "Labels").items()}


def objects(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Give the object at a path, an empty one if there is none."""
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, Mapping) else {}
    return document


def _list(value: object) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
