"""Where other hosts reach a port of a container: what the registrar writes as the address of an entry.

In this order: what `register-address` says, what `address` says if it is an IP; the container's own address in a
network that other hosts can reach (`register.networks`); a published port; the host's network.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from longshore.core.containers import Container, Network, Published
from longshore.core.places import Spot, joined
from longshore.core.registration import Options
from longshore.core.values import RefusedError, shown, words

_EVERYWHERE = {"0.0.0.0": 0, "": 0, "::": 1}  # noqa: S104 - compared, not bound
EVERY = "*"
_COMPOSE = "com.docker.compose.project"


class HostUnknownError(Exception):
    """The address of this host is needed and not known: that is said once, not of each container."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Where a port is reached from elsewhere, and why there."""

    host: str
    port: int
    reason: str


def outside(container: Container, port: int, protocol: str, spot: Spot | None, options: Options) -> Outside:
    """Find the address. Raises RefusedError with the cure, HostUnknownError if it would be this host's."""
    if spot is not None:
        return _said(container, port, protocol, spot, options)
    for network in routed(container, options.networks):
        return Outside(network.ipv4 or network.ipv6, port, f"network {_name(network)}, which other hosts can reach")
    if mapping := mapping_of(container, port, protocol):
        return _published(container, mapping, options)
    if container.network_mode == "host":
        return Outside(_host(options), port, "the host's network")
    raise RefusedError(f"no other host can reach port {port}: it is not published", _way_out(container, port))


def routed(container: Container, networks: tuple[str, ...]) -> list[Network]:
    """Give the container's networks that other hosts can reach, in the order of `networks`.

    Compose's prefix may be left out. "*" is every network, the default bridge first.
    """
    if EVERY in networks:
        return sorted((one for one in container.networks if one.ipv4 or one.ipv6), key=lambda one: one.name != "bridge")
    project = container.labels.get(_COMPOSE, "")
    found = []
    for name in networks:
        wanted = {name, f"{project}_{name}"}
        found += [one for one in container.networks if wanted & {one.name, one.id} and (one.ipv4 or one.ipv6)]
    return found


def mapping_of(container: Container, port: int, protocol: str) -> Published | None:
    """Give the published port to use: one on every address first, one on loopback last."""
    mappings = [one for one in container.published if (one.port, one.protocol) == (port, protocol) and one.host_port]
    return min(
        mappings,
        key=lambda one: (loopback(one.host_ip), _EVERYWHERE.get(one.host_ip, 2), one.host_ip, one.host_port),
        default=None,
    )


def _published(container: Container, mapping: Published, options: Options) -> Outside:
    reason = f"published port {joined(mapping.host_ip or '*', mapping.host_port)}"
    if mapping.host_ip in _EVERYWHERE:
        return Outside(_host(options), mapping.host_port, reason)
    if loopback(mapping.host_ip):
        raise RefusedError(
            f"port {mapping.port} is published only on {mapping.host_ip}, where no other host can reach it",
            f"publish it without an address: -p {mapping.port}, or say longshore.register-address",
        )
    return Outside(mapping.host_ip, mapping.host_port, reason)


def _said(container: Container, port: int, protocol: str, spot: Spot, options: Options) -> Outside:
    mapping = mapping_of(container, port, protocol)
    if spot.kind == "fixed":
        own = any(spot.address in (network.ipv4, network.ipv6) for network in container.networks)
        number = spot.port or (mapping.host_port if mapping and not own else port)
        return Outside(spot.address, number, f"address {joined(spot.address, number)}, as said")
    if spot.kind == "published":
        if mapping is None:
            raise RefusedError(f"the address is to be published, but port {port} is not", f"publish it: -p {port}")
        return _published(container, mapping, options)
    return Outside(_host(options), mapping.host_port if mapping else port, "the host's address, as said")


def _host(options: Options) -> str:
    if not options.address:
        raise HostUnknownError
    return options.address


def loopback(address: str) -> bool:
    """Whether only this host itself reaches an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _way_out(container: Container, port: int) -> str:
    if container.networks:
        names = words([_name(network) for network in container.networks[:10]])
        return f"publish it: -p {port}; or if other hosts can reach {names}, name that network in register.networks"
    return f"publish it: -p {port}, or say longshore.register-address"


def _name(network: Network) -> str:
    return shown(network.name)[1:-1]
