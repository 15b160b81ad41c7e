"""All that a doctor looks at, in an order in which one thing explains the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from longshore.agent.doctor import apis, compose, engines, entries, machine, servers
from longshore.agent.doctor.finding import Finding, fine
from longshore.agent.registry_read import Reading, readings
from longshore.config.ec2 import Ec2Source
from longshore.config.engine import Engine
from longshore.config.load import Loaded
from longshore.config.marathon import MarathonSource
from longshore.config.problems import ConfigProblem
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.config.sources import FileSource
from longshore.core.model import Problem
from longshore.sources.file import Folder

Progress = Callable[[str], None]
Look = Callable[[], Coroutine[Any, Any, list[Finding]]]


@dataclass(frozen=True, slots=True)
class Running:
    """What of longshore runs here, and what it says is wrong."""

    balancer: bool = False
    registrar: bool = False  # a process of its own
    problems: tuple[Problem, ...] = ()


async def examine(
    loaded: Loaded,
    progress: Progress,
    *,
    running: Running,
    compose_file: Path | None = None,
    environ: Mapping[str, str],
) -> AsyncIterator[Finding]:
    """Look at everything."""
    if compose_file is not None:
        progress(f"reading {compose_file}")
        for finding in await asyncio.to_thread(compose.compose, compose_file, environ):
            yield finding
    progress("reading the configuration")
    for problem in map(ConfigProblem.as_problem, (*loaded.problems, *loaded.set_aside)):
        yield Finding(problem.where, problem.what, problem.hint)
    if loaded.valid is None:
        return
    yield fine("configuration", str(loaded.path or "no file, so the defaults"))
    for what, look in _work(loaded, running, progress, environ):
        progress(what)
        for finding in await look():
            yield finding


def _work(loaded: Loaded, running: Running, progress: Progress, environ: Mapping[str, str]) -> list[tuple[str, Look]]:
    config = loaded.config
    work: list[tuple[str, Look]] = [
        ("looking at the state directory", partial(asyncio.to_thread, machine.state_dir, config)),
    ]
    if only_registers(loaded, running):
        said = fine("HAProxy", "not looked at: by this configuration the host only registers")
        work.append(("reading what is to be balanced", partial(_say, said)))
    else:
        ports = partial(machine.ports, config, serves=running.balancer, registers=running.registrar)
        work += [
            ("asking HAProxy what it can do", partial(machine.haproxy, config)),
            ("trying the addresses", partial(asyncio.to_thread, ports)),
            ("reading the certificates", partial(machine.certificates, config)),
        ]
    registries = readings(loaded)
    for name, source in config.sources.items():
        match source:
            case Engine():
                work.append((f"asking the engine {name}", partial(engines.engine, loaded, name, source)))
            case FileSource():
                work.append((f"reading {source.path}", partial(asyncio.to_thread, _folder, name, source)))
            case MarathonSource() | Ec2Source():
                work.append((f"asking {name}", partial(apis.api, loaded, name, source, environ)))
            case _ if name in registries:
                work.append((f"asking {name}", partial(_registry, registries[name], progress)))
    if config.register_ is not None and config.register_.containers:
        settings = config.register_.docker
        work.append(("asking the registrar's engine", partial(engines.engine, loaded, "register", settings)))
    work.append(("asking the running agent", partial(_agents, running)))
    return work


def only_registers(loaded: Loaded, running: Running) -> bool:
    """Whether this is a host for `longshore register` alone, as far as the configuration and what runs can tell."""
    config = loaded.config
    if config.register_ is None or running.balancer:
        return False
    if running.registrar:
        return True
    said = {path.partition(".")[0] for path, origin in loaded.origins.items() if origin.kind != "default"}
    balances = said & {"frontends", "haproxy", "services"}
    return not balances and all(isinstance(source, Registry) for source in config.sources.values())


async def _say(finding: Finding) -> list[Finding]:
    return [finding]


async def _registry(reading: Reading, progress: Progress) -> list[Finding]:
    """Its servers, and if any of them serves, what stands there."""
    match reading.source:
        case EtcdSource() as source:
            found = await servers.etcd(reading.name, source)
        case ZookeeperSource() as source:
            found = await servers.zookeeper(reading.name, source)
        case ConsulSource() as source:
            found = await servers.consul(reading.name, source)
    if found and not any(finding.fine for finding in found):
        return found
    progress(f"listing {reading.name}")
    return [*found, *await entries.entries(reading, progress)]


def _folder(name: str, source: FileSource) -> list[Finding]:
    folder = Folder(source.path)
    try:
        folder.look()
    except OSError as error:
        what = f"{source.path} cannot be read: {error.strerror or error}"
        return [Finding(f"source {name}", what, "make it, or correct the path")]
    found, problems = folder.entries()
    said = [Finding(problem.where, problem.what, problem.hint) for problem in problems]
    return [*said, fine(f"source {name}", f"{source.path}: {len(found)} services")]


async def _agents(running: Running) -> list[Finding]:
    """What the running agents say is wrong."""
    names = [name for name, runs in (("balancer", running.balancer), ("registrar", running.registrar)) if runs]
    if not names:
        return [fine("agent", "none runs with this state directory")]
    said = [Finding(problem.where, problem.what, problem.hint) for problem in running.problems]
    return said or [fine("agent", f"{' and '.join(names)}: nothing to complain of")]
