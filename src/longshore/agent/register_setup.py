"""From the configuration to what the registrar works with: registries, how entries are made, plain processes."""

from __future__ import annotations

from dataclasses import replace

from longshore.agent.register_identity import host_name
from longshore.clients.docker_faults import NO_SOCKET
from longshore.config.load import Loaded
from longshore.config.register import RegisterConfig, RegisteredProcess
from longshore.config.registries import REGISTRIES, ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core import spec
from longshore.core.entries import Entry
from longshore.core.labels import PREFIX
from longshore.core.model import Problem
from longshore.core.register_check import RegisterCheck
from longshore.core.registration import LocalCheck, Options, Registration
from longshore.core.registration_making import LOCAL


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


def processes_of(loaded: Loaded, options: Options) -> tuple[Registration, ...]:
    """The plain processes; without those that need this host's address while it is not known."""
    made = []
    for name, process in section_of(loaded).services.items():
        if host := process.address or options.address:
            made.append(_process(name, process, host, options))
    return tuple(made)


def _process(service: str, process: RegisteredProcess, host: str, options: Options) -> Registration:
    said, _ = spec.check(process.pairs)  # it was checked with the configuration
    said = said or spec.Spec()
    kind = process.check
    if kind.kind == "http" and said.server_tls:
        kind = RegisterCheck("https", kind.argument)
    check = LocalCheck(
        kind,
        process.check_address or host,
        process.port,
        said.check_host or "",
        said.check_status or "200-399",
        said.check_expect or "",
        said.server_tls or "",
        interval=options.interval if said.check_interval is None else said.check_interval,
        timeout=options.timeout if said.check_timeout is None else said.check_timeout,
        rise=options.rise if said.check_rise is None else said.check_rise,
        fall=options.fall if said.check_fall is None else said.check_fall,
    )
    entry = Entry(
        service=service,
        id=process.id or f"{options.name}:{process.port}",
        host=host,
        port=process.port,
        name=options.name,
        weight=process.weight,
        labels=_labels(process),
        tags=(*options.tags, *(tag for tag in process.tags if tag not in options.tags)),
        zone=said.zone or options.zone,
        owner=options.owner,
        machine=options.name,
    )
    return Registration(entry, check, place="said in the configuration")


def _labels(process: RegisteredProcess) -> tuple[tuple[str, str], ...]:
    said = {f"{PREFIX}{key}": _text(value) for key, value in process.pairs.items() if key not in LOCAL}
    return tuple(sorted(said.items()))


def _text(value: object) -> str:
    """A value of the configuration as a label says it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)


def with_address(options: Options, own: str) -> Options:
    """The same with this host's address, unless the configuration says it."""
    return options if options.address else replace(options, address=own)
