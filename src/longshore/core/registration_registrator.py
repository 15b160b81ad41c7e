"""The registrations of one container as registrator makes them: one for each published port, by its SERVICE_….

    service  SERVICE_NAME, else the image without its folders and tag; with "-<port>" behind it if there are several
    id       <host>:<container>:<port inside>[:udp]

Of our own labels those count that are about this host: `longshore.register`, `longshore.register-check` and the like.
UDP ports are registered without a check. (registrator's bridge/bridge.go, add and newService)
"""

from __future__ import annotations

from dataclasses import replace

from longshore.core.containers import Container
from longshore.core.entries import Entry, Inside
from longshore.core.grouping import repository
from longshore.core.registration import Options
from longshore.core.registration_address import routed
from longshore.core.registration_making import Contribution, Making, takes_part
from longshore.core.registrator import Said, check_of, said_of
from longshore.core.values import shown

UDP = {"longshore.enable": "false", "protocol": "udp"}
"""The labels that keep a UDP port away from balancers where a layout has nothing else to tell it by."""


def registration_of(container: Container, options: Options, through: Container | None = None) -> Contribution:
    """Give the registrations of a container. `through` is the one whose network it uses, if it has none of its own."""
    if not takes_part(container, options):
        return Contribution()
    making = Making(container, through or container, options, f"container {shown(container.name, 120)[1:-1]}", [])
    ports = _ports(making)
    own = making.said_here() if ports else None
    if own is None:
        return making.done()
    for port, protocol in ports:
        said = said_of(container.env, container.labels, port)
        if said.ignore or (options.expose == "labelled" and not said.name):
            continue
        name = said.name or repository(container.image).rpartition("/")[2] or container.name
        if len(ports) > 1 and not said.by_port:
            name = f"{name}-{port}"
        before, here = len(making.made), making.at_host(own, port, protocol)
        if here.register_check is None and not container.health and protocol == "tcp":
            here = replace(here, register_check=check_of(said.attrs))
        making.add(name, here, {}, protocol, port)
        for at in range(before, len(making.made)):
            made = making.made[at]
            making.made[at] = replace(made, entry=_as_said(made.entry, said, making, port, protocol))
    return making.done()


def _ports(making: Making) -> list[tuple[int, str]]:
    """Give the ports: published ones, and all that are exposed where nothing needs to be published."""
    side = making.side
    every = bool(routed(side, making.options.networks)) or side.network_mode == "host"
    found = set(side.exposed if every else ()) | {(each.port, each.protocol) for each in side.published}
    return sorted(each for each in found if each[1] in ("tcp", "udp"))


def _as_said(entry: Entry, said: Said, making: Making, port: int, protocol: str) -> Entry:
    container, udp = making.container, protocol == "udp"
    identity = f"{making.options.name}:{container.name}:{port}" + (":udp" if udp else "")
    return replace(
        entry,
        id=said.id or identity,
        name=container.name,
        labels=tuple(sorted((dict(said.attrs) | (UDP if udp else {})).items())),
        tags=(*said.tags, *making.tags(), *(("udp",) if udp else ())),
        inside=Inside(container.id, container.hostname, port),
    )
