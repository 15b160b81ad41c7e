"""Where longshore itself runs, as seen by the engine: it decides which addresses of containers can be reached.

In a container of this engine: its networks are ours. On the engine's host: every network is, but those that bypass the
host. On another machine: only published ports are, at the address of the engine's host. Which container we are, the
kernel tells: the engine mounts /etc/hostname from a folder named after the container, and cgroup v1 paths carry the id.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.core.address import Here

ID = re.compile(r"[0-9a-f]{64}")
BEYOND = ("macvlan", "ipvlan", "overlay")
"""Drivers of networks that the engine's own host has no address in."""
MOUNTED = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Place:
    """`container` is the one whose network we use: ours, or the one ours joined (network_mode container:X); or ""."""

    here: Here
    container: str = ""


async def find_here(client: DockerClient) -> Here:
    """Find out from which networks of this engine longshore can connect. Raises DockerError."""
    return (await find_place(client)).here


async def find_place(client: DockerClient) -> Place:
    """The same, with the container whose networks decide. Raises DockerError."""
    for identity in ids_of_this_process():
        document = await client.inspect(identity)
        if document is None or not _is_us(document, identity):
            continue
        us = str(document.get("Id", ""))
        mode = str(_object(document, "HostConfig").get("NetworkMode", ""))
        if mode.startswith("container:"):
            document = await client.inspect(mode.removeprefix("container:")) or document
        here = here_of(document, Here(in_container=True, container=us))
        return Place(await _with_beyond(client, here), str(document.get("Id", "")))
    return Place(await _with_beyond(client, Here(remote=await client.address())))


def ids_of_this_process() -> tuple[str, ...]:
    """Give what may be the id of the container that longshore runs in, the surest first; none on a plain host."""
    return own_ids(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"), socket.gethostname())


def here_of(document: Mapping[str, Any], before: Here) -> Here:
    """Read the networks of the container whose network we use from its inspect; the rest stays as `before`."""
    if _object(document, "HostConfig").get("NetworkMode") == "host":
        return replace(before, networks=frozenset(), gateway="", host_network=True)
    attached = {name: place or {} for name, place in _object(document, "NetworkSettings", "Networks").items()}
    words = {*attached, *(place["NetworkID"] for place in attached.values() if place.get("NetworkID"))}
    gateways = [place["Gateway"] for _, place in sorted(attached.items()) if place.get("Gateway")]
    gateway = gateways[0] if gateways else ""
    return replace(before, networks=frozenset(words), gateway=gateway, host_network=False)


async def _with_beyond(client: DockerClient, here: Here) -> Here:
    """Find out which networks the host cannot reach, if that matters; a proxy may keep it to itself."""
    if not here.on_host:
        return here
    try:
        drivers = await client.networks()
    except DockerError as error:
        if not error.status:
            raise
        return here
    return replace(here, beyond=frozenset(identity for identity, driver in drivers.items() if driver in BEYOND))


def _object(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        document = document.get(key) or {}
    return document


def own_ids(mountinfo: str, cgroup: str, hostname: str) -> tuple[str, ...]:
    """Give what may be the id of the container this process runs in, the surest first; none on a plain host.

    `mountinfo` and `cgroup` are the texts of the files in /proc/self (proc(5)).
    """
    found: list[str] = []
    for line in mountinfo.splitlines():
        fields = line.split()  # 4th: the mounted folder within its file system, 5th: where it is mounted
        if len(fields) > 4 and fields[4] in MOUNTED and "containers/" in fields[3]:
            found += ID.findall(fields[3])[-1:]
    for line in cgroup.splitlines():
        found += ID.findall(line)[-1:]
    if re.fullmatch(r"[0-9a-f]{12}", hostname):
        found.append(hostname)
    return tuple(dict.fromkeys(found))


def _is_us(document: Mapping[str, Any], identity: str) -> bool:
    """A full id is certain; a host name that looks like a short id must be that container's host name."""
    if len(identity) == 64:
        return True
    return bool(_object(document, "Config").get("Hostname") == identity)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
