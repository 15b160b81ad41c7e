"""What a manager answers, made of a few words: nodes, services and tasks as the Engine API gives them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from longshore.core.address import Here
from longshore.core.drafts import Options
from longshore.core.model import Endpoint, Problem, Service
from longshore.core.swarm import Swarm

_versions = itertools.count(1)
MOMENT = "2026-05-01T10:00:00.5Z"
INSIDE = Options("swarm", here=Here(networks=frozenset({"net-front"}), in_container=True, container="f" * 64))
OUTSIDE = Options("swarm")


def node(name: str, **more: Any) -> dict[str, Any]:
    """A node whose id is "id-<name>"."""
    return {
        "ID": f"id-{name}",
        "Version": {"Index": next(_versions)},
        "Spec": {
            "Labels": more.get("labels", {}),
            "Role": "worker",
            "Availability": more.get("availability", "active"),
        },
        "Description": {"Hostname": name},
        "Status": {"State": more.get("state", "ready"), "Addr": more.get("address", f"10.0.0.{name[-1]}")},
        **({"ManagerStatus": {"Addr": more["manager"]}} if "manager" in more else {}),
    }


def service(name: str, labels: Mapping[str, str] | None = None, copies: int | None = 3, **more: Any) -> dict[str, Any]:
    """A service whose id is "id-<name>"; `labels` go without "longshore." and are the service's."""
    mode = {"Global": {}} if copies is None else {"Replicated": {"Replicas": copies}}
    container = {"Image": more.get("image", "local/app:1"), "Labels": more.get("container_labels", {})}
    return {
        "ID": f"id-{name}",
        "Version": {"Index": next(_versions)},
        "CreatedAt": more.get("created", MOMENT),
        "Spec": {
            "Name": name,
            "Labels": {f"longshore.{key}": value for key, value in (labels or {}).items()} | more.get("raw", {}),
            "TaskTemplate": {"ContainerSpec": {key: value for key, value in container.items() if value}},
            "Mode": mode,
            "EndpointSpec": {"Mode": more.get("mode", "vip"), "Ports": more.get("ports", [])},
        },
        **({"UpdateStatus": {"State": more["update"]}} if "update" in more else {}),
    }


def port(target: int, mode: str = "ingress", protocol: str = "tcp", published: int = 0) -> dict[str, Any]:
    """A published port of a service, or with mode "host" of a task."""
    return {"Protocol": protocol, "TargetPort": target, "PublishedPort": published or target, "PublishMode": mode}


def network(name: str, *addresses: str, ingress: bool = False) -> dict[str, Any]:
    """A task's place in a network whose id is "net-<name>"."""
    spec = {"Name": name} | ({"Ingress": True} if ingress else {})
    found = {"Network": {"ID": f"net-{name}", "Spec": spec}}
    return found | ({"Addresses": [f"{each}/24" for each in addresses]} if addresses else {})


def task(name: str, slot: int = 1, where: str = "h1", **more: Any) -> dict[str, Any]:
    """A running task of a service in the network "front"; its id is "<name>.<slot>", or `id`."""
    number = more.get("number", slot)
    return {
        "ID": more.get("id", f"{name}.{slot}"),
        "Version": {"Index": next(_versions)},
        "ServiceID": f"id-{name}",
        **({"Slot": slot} if slot else {}),
        **({"NodeID": f"id-{where}"} if where else {}),
        "Status": {
            "State": more.get("state", "running"),
            "Timestamp": MOMENT,
            "ContainerStatus": {"ContainerID": more.get("container", f"{number:064x}")},
            "PortStatus": {"Ports": more.get("ports", [])},
        },
        "DesiredState": more.get("desired", "running"),
        "NetworksAttachments": more.get("networks", [network("front", f"10.77.0.{number}")]),
    }


def swarm(
    services: list[dict[str, Any]],
    tasks: list[dict[str, Any]],
    nodes: list[dict[str, Any]] | None = None,
    options: Options = INSIDE,
) -> Swarm:
    """A Swarm that was looked at once; nodes h1, h2 and h3 unless said otherwise."""
    made = Swarm(options)
    made.take_nodes([node("h1"), node("h2"), node("h3")] if nodes is None else nodes)
    made.take_services(services)
    made.take_running(tasks)
    return made


def services_of(made: Swarm) -> dict[str, Service]:
    """Its services by name; there must be no problem."""
    found, problems = made.build()
    assert problems == ()
    return {each.name: each for each in found}


def problems_of(made: Swarm) -> list[Problem]:
    """Its problems."""
    return list(made.build()[1])


def endpoints_of(made: Swarm, name: str = "web") -> dict[str, Endpoint]:
    """The endpoints of a service, by name."""
    return {endpoint.name: endpoint for endpoint in services_of(made)[name].endpoints}
