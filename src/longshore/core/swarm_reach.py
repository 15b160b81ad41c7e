"""Where the balancer reaches a task of a Swarm: in a network that both share, else at its node. Never at a VIP.

In this order: what the keys `address` and `network` say; a network that the balancer shares, the stack's own first; a
port that is published with mode=host, at the node's address; the node's own network. Ports published through the
Swarm's ingress lead to any task of the service, so they are of no use here: the balancer would not know to which.
"""

from __future__ import annotations

from longshore.core.address import Here, Reached
from longshore.core.places import Spot, joined
from longshore.core.swarm_records import STACK, Attached, Node, SwarmService, Task
from longshore.core.values import RefusedError, shown, words

_HOST = "host"  # the name of the node's own network


def reach_task(
    task: Task, node: Node, service: SwarmService, port: int, spot: Spot | None, network: str, here: Here
) -> Reached | None:
    """Find where `port` of a task is reached; None if that is not decided yet. Raises RefusedError with the cure."""
    if spot is not None:
        return _said(task, node, service, port, spot)
    if network:
        return _in_network(task, service, port, network, here)
    own = f"{service.labels.get(STACK, '')}_default"  # the network that `docker stack deploy` makes when none is said
    shared = [each for each in task.networks if _shares(here, each)]
    if shared:
        return _at(min(shared, key=lambda each: (each.name != own, each.name)), port)
    if found := _published(task, node, service, port):
        return found
    if any(each.name == _HOST for each in task.networks) and node.address:
        return Reached(node.address, port, f"the network of node {shown(node.name)[1:-1]}")
    if not task.runs:
        return None  # the engine has not chosen a port yet
    raise RefusedError(f"no address can be reached: {_situation(task, node, service, port)}", _way_out(task, port))


def _shares(here: Here, network: Attached) -> bool:
    return bool(network.address) and not network.ingress and bool({network.id, network.name} & here.networks)


def _at(network: Attached, port: int) -> Reached:
    return Reached(network.address, port, f"network {shown(network.name)[1:-1]}, shared with the balancer")


def _published(task: Task, node: Node, service: SwarmService, port: int) -> Reached | None:
    ports = [outside for inside, outside in task.published if inside == port]
    if not ports or not node.address:
        return None
    reason = f"port {min(ports)} published on node {shown(node.name)[1:-1]}"
    return Reached(node.address, min(ports), reason, proxied=True)


def _said(task: Task, node: Node, service: SwarmService, port: int, spot: Spot) -> Reached | None:
    if spot.kind == "fixed":
        what = f"address {joined(spot.address, spot.port or port)} cannot be that of every task"
        raise RefusedError(what, "say published or host, or list it as endpoint of the source file")
    if spot.kind == "host" and node.address:
        return Reached(node.address, port, f"the address of node {shown(node.name)[1:-1]}, as said")
    if found := _published(task, node, service, port):
        return found
    if not task.runs:
        return None
    hint = f"publish it on the nodes: --publish mode=host,target={port}, or remove address"
    raise RefusedError(f"address is {spot.kind}, but {_situation(task, node, service, port)}", hint)


def _in_network(task: Task, service: SwarmService, port: int, name: str, here: Here) -> Reached | None:
    """Take the network by its name; the stack's own prefix may be left out."""
    prefixed = f"{service.labels.get(STACK, '')}_{name}"
    found = {each.name: each for each in task.networks if not each.ingress}
    network = found.get(name) or found.get(prefixed)
    if network is None:
        hint = f"name one of its networks, or attach it: docker service update --network-add {name} {service.name}"
        raise RefusedError(f"is not in network {name}: {_networks(task)}", hint)
    if not _shares(here, network):
        raise RefusedError(
            f"network {shown(network.name)[1:-1]} is not shared with the balancer", _attach(network.name)
        )
    return _at(network, port)


def _situation(task: Task, node: Node, service: SwarmService, port: int) -> str:
    modes = [mode for inside, mode in service.ports if inside == port]
    if "host" in modes and not node.address:
        return f"{_networks(task)}, and no address of node {shown(node.name or node.id)[1:-1]} is known"
    if modes and "host" not in modes:
        return f"{_networks(task)}, and port {port} is published through the ingress, which leads to any task"
    return f"{_networks(task)}, and port {port} is not published with mode=host"


def _networks(task: Task) -> str:
    names = [shown(each.name)[1:-1] for each in task.networks if not each.ingress][:10]
    return (
        f"its tasks are in network {words(names).replace(' or ', ' and ')}" if names else "its tasks are in no network"
    )


def _way_out(task: Task, port: int) -> str:
    names = [each.name for each in task.networks if not each.ingress and each.name != _HOST]
    attach = f"{_attach(names[0])}, or " if names else ""
    return f"{attach}publish the port on the nodes: --publish mode=host,target={port}"


def _attach(network: str) -> str:
    return f"attach the balancer: docker service update --network-add {shown(network)[1:-1]} BALANCER"
