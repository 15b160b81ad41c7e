"""The address of this host as others reach it, when the configuration does not say it: the one it has towards the
registry. A registry on this very host tells nothing; then it is the address of the default route.

Connecting a UDP socket sends nothing: the kernel only picks the route, and with it the address that is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from longshore.config.fields import split_address
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource

ELSEWHERE = ("192.0.2.1", "2001:db8::1")
"""Addresses that nobody has (RFC 5737, RFC 3849): the way there is the default route."""


@dataclass(frozen=True, slots=True)
class Own:
    """This host's address, or why it is not known."""

    address: str = ""
    why: str = ""


def servers_of(source: Registry) -> list[tuple[str, int]]:
    """Hosts and ports of a registry; none if it is reached by a unix socket."""
    match source:
        case EtcdSource():
            found = [urlsplit(url) for url in source.endpoints]
        case ConsulSource():
            found = [urlsplit(source.address)]
        case ZookeeperSource():
            return [split_address(host) for host in source.hosts]
    return [(url.hostname, url.port or 80) for url in found if url.scheme in ("http", "https") and url.hostname]


async def own_address(registries: Sequence[Registry]) -> Own:
    """Find out this host's address towards the first registry that tells one."""
    unresolved = []
    for host, port in (server for registry in registries for server in servers_of(registry)):
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError:
            unresolved.append(host)
            continue
        for *_, server in found:
            if address := _towards(str(server[0])):
                return Own(address)
    for elsewhere in ELSEWHERE:
        if address := _towards(elsewhere):
            return Own(address)
    why = "there is no route to other hosts"
    return Own(why=f"{why}, and {', '.join(unresolved)} does not resolve" if unresolved else why)


def _towards(place: str) -> str:
    """The address used on the way to another one; "" if that is loopback, or there is no way."""
    version = ipaddress.ip_address(place.partition("%")[0]).version
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((place, 9))
        except OSError:
            return ""
        address = ipaddress.ip_address(str(trial.getsockname()[0]).partition("%")[0])
    return "" if address.is_loopback or address.is_unspecified or address.is_link_local else str(address)
