"""From the configuration to the parts of a running agent: which HAProxy, which frontends, which sources."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from longshore.agent.connect_apis import api_work
from longshore.agent.connect_dns import dns_work
from longshore.agent.connect_origins import picked
from longshore.agent.connect_registries import registry_work
from longshore.agent.connect_swarm import agents_work, swarm_work
from longshore.agent.metrics import Metrics
from longshore.config.ec2 import Ec2Source
from longshore.config.load import Loaded
from longshore.config.marathon import MarathonSource
from longshore.config.schema import Config, DnsSource, DockerSource, FileSource
from longshore.config.swarm import AgentsSource, SwarmSource
from longshore.core.build import OperatorService, Options
from longshore.core.capabilities import Capabilities
from longshore.core.conditions import read as condition
from longshore.core.conflicts import address_of
from longshore.core.containers import Machine
from longshore.core.model import Service, Snapshot
from longshore.core.prefer import Here
from longshore.core.profile import Profile, profile_of
from longshore.core.raw import RawProcess
from longshore.core.render import Bind, Frontend, Paths, Process
from longshore.haproxy import addresses
from longshore.haproxy.attached import Attached
from longshore.haproxy.contract import Process as Running
from longshore.haproxy.faults import BusyAddress
from longshore.haproxy.managed import Managed
from longshore.haproxy.own_address import own_address
from longshore.haproxy.privileges import may_take_low_ports
from longshore.sources import docker, file, fixed
from longshore.sources.registered import Gate

CONFIGURED = "config"  # the source of services whose endpoints stand in the configuration
Publish = Callable[[Snapshot], None]
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the balancer is made of, apart from sources."""

    process: Process
    frontends: tuple[Frontend, ...]
    busy: Callable[[list[str]], list[BusyAddress]]
    meter: Metrics
    here: Here
    share: bool = False  # ports with another HAProxy


def here_of(config: Config) -> Here:
    """Where this balancer is."""
    here = config.here
    return Here(here.host_name(config.register_), here.zone_name(config.register_), own_address)


def paths_of(config: Config) -> Paths:
    """Where HAProxy's files are. Raises ValueError if the state directory's path is too long for sockets."""
    socket = config.haproxy.socket
    return Paths(str(config.state_dir), str(socket) if socket else "")


def process_of(config: Config, paths: Paths, raw: RawProcess) -> Process:
    """The `global` part of HAProxy's configuration."""
    h = config.haproxy
    user, group = h.user or "", h.group or ""
    if h.mode == "managed" and not user and os.geteuid() == 0 and _has_user("haproxy"):
        user, group = "haproxy", group or "haproxy"
    return Process(
        paths,
        user,
        group,
        max_connections=h.max_connections,
        stats=h.stats,
        access_log=h.access_log,
        threads=h.threads,
        hard_stop_after=h.hard_stop_after,
        raw=raw,
    )


def frontends_of(
    config: Config, paths: Paths, usable: Callable[[Path], Path | None] = lambda path: path
) -> tuple[Frontend, ...]:
    """The frontends of the configuration; they share one map of routes.

    `usable` gives the checked copy of a certificate path. A frontend that has none yet is left out.
    """
    found = []
    for name, f in config.frontends.items():
        copy = usable(f.tls.certificates) if f.tls else None
        if f.tls is None or copy is not None:
            binds = tuple(Bind(address, str(copy or ""), f.proxy_protocol) for address in f.bind)
            found.append(Frontend(name, "http", binds, paths.route_map("")))
    return tuple(found)


def certificates_of(config: Config) -> list[Path]:
    """Every path of certificates in the configuration."""
    return [f.tls.certificates for f in config.frontends.values() if f.tls]


def reserved_of(config: Config) -> dict[str, str]:
    """Addresses that no service may ask for: who listens there."""
    taken = {address_of(a): f"frontend {name}" for name, f in config.frontends.items() for a in f.bind}
    if config.admin.bind:
        taken[address_of(config.admin.bind)] = "longshore's admin address"
    if config.haproxy.stats:
        taken[address_of(config.haproxy.stats)] = "HAProxy's statistics"
    return taken


def always_of(caps: Capabilities, paths: Paths) -> tuple[Profile, ...]:
    """Profiles that are ready before any service asks: plain HTTP and plain TCP, as labels without policy make."""
    return tuple(profile_of(Service("default", mode), caps, paths) for mode in ("http", "tcp"))


def haproxy_of(config: Config, paths: Paths, binary: str) -> Running:
    """The HAProxy to drive."""
    h = config.haproxy
    if h.mode == "attached":
        assert h.master_socket is not None
        assert h.config_file is not None
        return Attached(paths, config_file=str(h.config_file), master_socket=str(h.master_socket), binary=binary)
    return Managed(paths, binary=binary, access_log=h.access_log, share_ports=h.share_ports)


def busy_for(process: Running, *, share: bool = False) -> Callable[[list[str]], list[BusyAddress]]:
    """Tell which addresses strangers have; not our own HAProxy, and an attached one may have been started by root."""
    low = not isinstance(process, Managed) or may_take_low_ports(process.binary)
    return lambda asked: addresses.busy(asked, ours=(process.pid, process.runtime().pid), low=low, share=share)


def source_names(loaded: Loaded) -> dict[str, str]:
    """Name and type of every source, in the order in which the earlier one wins."""
    names = {CONFIGURED: "config"} if loaded.fixed else {}
    return names | {name: source.type for name, source in loaded.config.sources.items()}


def sources_of(
    loaded: Loaded, publish: Publish, last: Mapping[str, Snapshot], gates: dict[str, Gate]
) -> dict[str, Work]:
    """How to start the endless work of each source, by its name. `last` are their snapshots of an earlier life.

    Registries, and what is followed like them, get a gate each, in `gates`, to thaw them by.
    """
    work: dict[str, Work] = {}
    if loaded.fixed:
        work[CONFIGURED] = partial(fixed.watch, CONFIGURED, loaded.fixed, publish, last=last.get(CONFIGURED))
    for name, source in loaded.config.sources.items():
        match source:
            case DockerSource():
                options = engine_options(loaded, name, source)
                work[name] = partial(docker.watch, name, source, options, publish)
            case SwarmSource():
                work[name] = swarm_work(name, source, operator_services(loaded, name), publish)
            case AgentsSource():
                work[name] = agents_work(name, source, operator_services(loaded, name), publish, last.get(name))
            case FileSource():
                work[name] = partial(file.watch, name, source, publish, last=last.get(name))
            case DnsSource():
                work[name] = dns_work(loaded, name, source, publish, last.get(name))
            case MarathonSource() | Ec2Source():
                gate = gates.setdefault(name, Gate())
                work[name] = api_work(loaded, name, source, publish, last.get(name), gate)
            case _:
                gate = gates.setdefault(name, Gate())
                work[name] = registry_work(loaded, name, source, publish, last.get(name), gate)
    return work


def engine_options(loaded: Loaded, name: str, source: DockerSource) -> Options:
    """How containers of an engine become services. What runs on the local engine runs where this balancer is."""
    here = here_of(loaded.config) if source.host.startswith("unix:") else Here()
    machine = Machine(here.host, zone=here.zone)
    return Options(name, source.expose, source.group_by, operator=operator_services(loaded, name), machine=machine)


def changed_sources(before: Loaded, after: Loaded) -> set[str]:
    """Names of sources whose settings are other than before."""
    old, new = before.config.sources, after.config.sources
    changed = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    changed |= {name for name in new if [*picked(before, name)] != [*picked(after, name)]}
    return changed | ({CONFIGURED} if before.fixed != after.fixed else set())


def operator_services(loaded: Loaded, source: str) -> tuple[OperatorService, ...]:
    """The services of the configuration that are made of this source's containers."""
    return tuple(
        OperatorService(name, spec, item.image, tuple(map(condition, item.label)), item.service, item.port)
        for name, spec, item in picked(loaded, source)
    )


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
