"""This machine: the state directory, HAProxy's binary, the ports, the certificates."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from longshore.agent import connect
from longshore.agent.certificates import Certificates
from longshore.agent.doctor.finding import Finding, fine, of_fault, of_problems
from longshore.clients.haproxy_faults import HAProxyError
from longshore.config.schema import Config
from longshore.core.capabilities import Capabilities
from longshore.haproxy import addresses
from longshore.haproxy.capabilities import find_binary, probe

LEAST_ROOM = 50 * 2**20
"""Bytes that should be free where the state is."""


def state_dir(config: Config) -> list[Finding]:
    """Whether the state can be kept."""
    folder = config.state_dir
    where = f"state directory {folder}"
    try:
        connect.paths_of(config)
    except ValueError as error:
        return [Finding(where, str(error), "choose a shorter path: `state-dir`")]
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        return [Finding(where, f"{existing} is no folder", "choose another one: `state-dir`, or --state-dir")]
    hint = "use sudo, let this user write there, or choose another one: `state-dir`, --state-dir"
    if existing != folder:
        if not os.access(existing, os.W_OK | os.X_OK):
            return [Finding(where, f"cannot be made: no permission to write in {existing}", hint)]
        return [fine(where, f"is made at the start, in {existing}")]
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return [Finding(where, f"is not writable: {error.strerror or error}", hint)]
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM:
        return [Finding(where, f"has {free // 2**20} MB left", "make room there")]
    return [fine(where, "writable")]


async def haproxy(config: Config) -> list[Finding]:
    """Whether there is a HAProxy that will do."""
    try:
        binary = find_binary(config.haproxy.binary)
        caps = await probe(binary)
    except HAProxyError as error:
        return [of_fault("HAProxy", error)]
    found = [fine(f"HAProxy {caps.version}", f"{binary}; {_can(caps)}")]
    if not caps.lua:
        what = f"{binary} is built without Lua: the key `hold` has no effect"
        found.append(Finding(f"HAProxy {caps.version}", what, "install one with Lua, if you use `hold`"))
    return [*found, *_attached(config)]


def _attached(config: Config) -> list[Finding]:
    if config.haproxy.mode != "attached":
        return []
    sockets = [path for path in (config.haproxy.master_socket, config.haproxy.socket) if path is not None]
    hint = "start that HAProxy, or correct the path"
    missing = [path for path in sockets if not path.exists()]
    return [Finding("HAProxy", f"`mode: attached`, but there is no socket {path}", hint) for path in missing]


def ports(config: Config, *, serves: bool, registers: bool = False) -> list[Finding]:
    """Whether the addresses of the configuration are free. `serves`, `registers`: longshore itself runs here."""
    asked = [address for frontend in config.frontends.values() for address in frontend.bind]
    asked += [config.haproxy.stats] if config.haproxy.stats else []
    if serves:
        return [fine("addresses", f"{', '.join(asked)}: the balancer of this state directory runs")]
    asked = [] if config.haproxy.mode == "attached" else asked
    asked += [config.admin.bind] if config.admin.bind and not registers else []
    busy = addresses.busy(asked, share=config.haproxy.share_ports)
    taken = {each.address for each in busy}
    found = [Finding(f"address {each.address}", each.why, each.hint) for each in busy if not each.shared]
    found += [
        fine(f"address {each.address}", f"{each.owner} shares it; it is taken over") for each in busy if each.shared
    ]
    free = [address for address in asked if address not in taken]
    return [*found, *([fine("addresses", f"{', '.join(free)} free")] if free else [])]


async def certificates(config: Config) -> list[Finding]:
    """Whether HAProxy can be given the certificates."""
    origins = connect.certificates_of(config)
    if not origins:
        return []
    with tempfile.TemporaryDirectory(prefix="longshore-doctor-") as copies:
        looked = Certificates(origins, Path(copies), lambda changes: None)
        changes = await asyncio.to_thread(looked.look)
    if looked.problems:
        return of_problems(looked.problems)
    names = ", ".join(sorted(str(origin) for origin in origins))
    return [fine("certificates", f"{len(changes)} in {names}")]


def _can(caps: Capabilities) -> str:
    return "new services never need a reload" if caps.add_backend else "new services use slots prepared for them"
