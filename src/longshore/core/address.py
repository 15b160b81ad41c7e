"""Where the balancer reaches a container: never a random address, always one with a reason.

In this order: what the key `address` says; a network that the balancer shares; a published port; the host network.
Which networks are shared depends on where longshore runs (`Here`): in a container, its own; on the engine's host, every
network of the engine; elsewhere, none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from longshore.core.containers import Container, Network, Published
from longshore.core.places import Spot, ip, joined
from longshore.core.values import RefusedError, shown

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
_COMPOSE = "com.docker.compose.project"


@dataclass(frozen=True, slots=True)
class Here:
    """Where longshore runs, as the engine sees it."""

    networks: frozenset[str] = frozenset()  # ids and names of the networks its container is attached to
    in_container: bool = False
    host_network: bool = False
    remote: str = ""  # IP of the engine's host; "" if that is this machine
    container: str = ""  # id of longshore's own container, which is never a service
    gateway: str = ""  # IP of the engine's host as seen from longshore's container
    beyond: frozenset[str] = frozenset()  # networks of a local engine that its host cannot reach (macvlan, overlay)

    @property
    def on_host(self) -> bool:
        """Whether the engine's bridges and loopback are ours too."""
        return not self.remote and (self.host_network or not self.in_container)

    @property
    def host(self) -> str:
        """The address at which the engine's host is reached; "" if that is unknown."""
        return self.remote or ("127.0.0.1" if self.on_host else self.gateway)

    def shares(self, network: Network) -> bool:
        """Whether containers in this network are reached directly."""
        names = {network.name, network.id} - {""}
        if self.remote or not (network.ipv4 or network.ipv6):
            return False
        if self.on_host:
            return network.name != "ingress" and not names & self.beyond
        return bool(names & self.networks)


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a container's port is reached, and why there."""

    address: str
    port: int
    reason: str
    proxied: bool = False  # by the engine's port forwarder


def reach(container: Container, port: int, spot: Spot | None, network: str, here: Here) -> Reached:
    """Find where `port` of a container is reached. Raises RefusedError with its networks and what to do."""
    if container.machine is not None:
        here = replace(here, remote="", in_container=True, host_network=False, gateway=container.machine.address)
    if spot is not None:
        return _said(container, port, spot, here)
    if network:
        return _in_network(container, port, network, here)
    default = f"{container.labels.get(_COMPOSE, '')}_default"  # the network Compose makes when none is said
    shared = [one for one in container.networks if here.shares(one)]
    if shared:
        return _at(min(shared, key=lambda one: (one.name != default, one.name)), port, here)
    if found := _published(container, port, here):
        return found
    if container.network_mode == "host" and here.host:
        return Reached(here.host, port, "the host's network")
    raise RefusedError(f"no address can be reached: {_situation(container, port)}", _way_out(container, port, here))


def _at(network: Network, port: int, here: Here) -> Reached:
    where = "on this host" if here.on_host else "shared with the balancer"
    return Reached(network.ipv4 or network.ipv6, port, f"network {shown(network.name)[1:-1]}, {where}")


def _said(container: Container, port: int, spot: Spot, here: Here) -> Reached:
    if spot.kind == "fixed":
        return Reached(spot.address, spot.port or port, f"address {joined(spot.address, spot.port or port)}, as said")
    if spot.kind == "published":
        if found := _published(container, port, here):
            return found
        raise RefusedError(
            f"address is published, but {_situation(container, port)}", f"publish it: -p {port}, or remove address"
        )
    if here.host:
        published = _mapping(container, port)
        reason = "the host's address, as said"
        return Reached(here.host, published.host_port if published else port, reason, proxied=published is not None)
    raise RefusedError("the host's address is not known from the balancer's container", "say the IP itself as address")


def _in_network(container: Container, port: int, name: str, here: Here) -> Reached:
    """Take the network by its name; Compose's own prefix may be left out."""
    prefixed = f"{container.labels.get(_COMPOSE, '')}_{name}"
    found = {network.name: network for network in container.networks}
    network = found.get(name) or found.get(prefixed)
    if network is None:
        raise RefusedError(
            f"is not in network {name}: {_situation(container, port)}", "name one of its networks, or attach it"
        )
    if not here.shares(network):
        raise RefusedError(
            f"network {network.name} is not shared with the balancer, or the container has no address in it",
            _attach(network.name) if here.in_container else "say address=published, or the IP itself",
        )
    return _at(network, port, here)


def _mapping(container: Container, port: int) -> Published | None:
    """Give the published port to use: one on every IPv4 address before one on a particular address."""
    mappings = [one for one in container.published if (one.port, one.protocol) == (port, "tcp") and one.host_port]
    order = {"0.0.0.0": 0, "": 0, "::": 1}  # noqa: S104 - compared, not bound
    return min(mappings, key=lambda one: (order.get(one.host_ip, 2), one.host_ip, one.host_port), default=None)


def _published(container: Container, port: int, here: Here) -> Reached | None:
    mapping = _mapping(container, port)
    if mapping is None:
        return None
    host = mapping.host_ip
    if host in _EVERYWHERE:
        host = here.host
        if host == "127.0.0.1" and mapping.host_ip == "::":
            host = "::1"
    elif not here.on_host and (host.startswith("127.") or host == "::1"):
        return None
    if ip(host) is None:
        return None
    reason = f"published port {joined(mapping.host_ip or '*', mapping.host_port)}"
    return Reached(host, mapping.host_port, reason, proxied=True)


def _situation(container: Container, port: int) -> str:
    networks = [shown(network.name)[1:-1] for network in container.networks[:10]]
    inside = f"it is in {'networks' if len(networks) > 1 else 'network'} {', '.join(networks)}"
    mapping = _mapping(container, port)
    outside = (
        f"port {port} is published on {joined(mapping.host_ip or '*', mapping.host_port)}"
        if mapping
        else f"port {port} is not published"
    )
    return f"{inside if networks else 'it is in no network'}, and {outside}"


def _way_out(container: Container, port: int, here: Here) -> str:
    if container.network_mode == "host":
        return "say the host's IP with longshore.address"
    if here.in_container and not here.remote and container.networks:
        return f"{_attach(container.networks[0].name)}, or publish port {port}"
    return f"publish port {port}, or say the address with longshore.address"


def _attach(network: str) -> str:
    return f"attach the balancer: docker network connect {shown(network)[1:-1]} BALANCER"
