"""From the configuration to what the registrar works with: registries, and how entries are made."""

from __future__ import annotations

from dataclasses import replace

from longshore.agent.register_identity import host_name
from longshore.clients.docker_faults import NO_SOCKET
from longshore.config.load import Loaded
from longshore.config.register import RegisterConfig
from longshore.config.registries import REGISTRIES, ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core.model import Problem
from longshore.core.registration import Options


def section_of(loaded: Loaded) -> RegisterConfig:
    """The section `register`; it is there."""
    section = loaded.config.register_
    assert section is not None, "the configuration says nothing of a registrar"
    return section


def name_of(loaded: Loaded) -> str:
    """This host's name in the registry."""
    return section_of(loaded).name or host_name()


def registries_of(loaded: Loaded) -> dict[str, Registry]:
    """The sources that are written to, by name. The configuration was checked: there is at least one."""
    sources = loaded.config.sources
    names = section_of(loaded).registry or [name for name, source in sources.items() if source.type in REGISTRIES]
    found = {name: sources[name] for name in names}
    return {n: s for n, s in found.items() if isinstance(s, EtcdSource | ZookeeperSource | ConsulSource)}


def engine_problem(problem: Problem) -> Problem:
    """The same with the hint for a registrar: it can do without an engine."""
    if not problem.what.endswith(NO_SOCKET):
        return problem
    return replace(problem, hint=f"{problem.hint}; if this host has none: `register: {{containers: false}}`")


def options_of(loaded: Loaded, owner: str) -> Options:
    """How entries are made; `address` and `here` are for whoever knows them."""
    section = section_of(loaded)
    return Options(
        owner=owner,
        name=name_of(loaded),
        address=section.address or "",
        zone=section.zone or "",
        expose=section.expose,
        group_by=section.group_by,
        networks=section.networks,
        tags=section.tags,
        interval=section.interval,
        timeout=section.timeout,
        rise=section.rise,
        fall=section.fall,
        delay=section.deregister_delay,
        metadata=section.metadata,
        fixed=section.address is not None,
        address_label=section.address_label or "",
    )


def with_address(options: Options, own: str) -> Options:
    """The same with this host's address, unless the configuration says it."""
    return options if options.address else replace(options, address=own)
