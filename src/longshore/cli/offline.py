"""What `check` and `render` work with: services from files and from `docker inspect` output, without any engine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from longshore.agent.connect import CONFIGURED, operator_services, reserved_of
from longshore.agent.connect_apis import unasked as unasked_api
from longshore.agent.connect_dns import unasked
from longshore.agent.connect_origins import compositions, counts_untoggled
from longshore.agent.connect_registries import registry_options
from longshore.cli.ending import FINDING, USAGE, End
from longshore.config import Loaded
from longshore.config.dns import DnsSource
from longshore.config.ec2 import Ec2Source
from longshore.config.entries import FixedService
from longshore.config.marathon import MarathonSource
from longshore.config.registries import Registry
from longshore.config.sources import DockerSource, FileSource
from longshore.core.build import Options, build
from longshore.core.composer import Composer
from longshore.core.containers import Container, from_inspect
from longshore.core.merge import Merger
from longshore.core.model import Problem, Service, Snapshot
from longshore.core.registered import build as registered
from longshore.sources.file import Folder
from longshore.sources.fixed import Fixed, wanted_names

STANDARD_INPUT = Path("-")


@dataclass(slots=True)
class Offline:
    """What the files say would be served; `notes` tell what could not be known without an engine or a name server."""

    services: tuple[Service, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def gather(loaded: Loaded, snapshot: Path | None) -> Offline:
    """Read everything that can be read from files."""
    config = loaded.config
    found = Offline()
    containers = read_snapshot(snapshot, found.problems) if snapshot else None
    docker = next((name for name, source in config.sources.items() if isinstance(source, DockerSource)), None)
    if containers is not None and docker is None:
        raise End(USAGE, "--snapshot: the configuration has no source of type docker", "add `sources: {docker: {}}`")
    snapshots = [_fixed(CONFIGURED, loaded.fixed, found)] if loaded.fixed else []
    for name, source in config.sources.items():
        if isinstance(source, FileSource):
            snapshots.append(_folder(name, source.path, found))
        elif isinstance(source, Registry):
            snapshots.append(Snapshot(name, *registered({}, registry_options(loaded, name, source))))
            found.notes.append(f"source {name}: its registry is not asked")
        elif isinstance(source, MarathonSource | Ec2Source):
            snapshots.append(unasked_api(loaded, name, source))
            found.notes.append(f"source {name}: its API is not asked, its services have no endpoints")
        elif isinstance(source, DnsSource):
            snapshots.append(Snapshot(name, unasked(loaded, name, source)))
            if source.resolve == "longshore":
                found.notes.append(f"source {name}: its nameservers are not asked, its services have no endpoints")
        else:
            asked = containers if name == docker else None
            if isinstance(source, DockerSource):
                options = Options(name, source.expose, source.group_by, operator=operator_services(loaded, name))
                snapshots.append(Snapshot(name, *build(asked or [], options)))
            if asked is None:
                hint = "" if containers is not None else "; give its containers with --snapshot"
                found.notes.append(f"source {name}: its engine is not asked{hint}")
    composer = Composer(compositions(loaded), counts=partial(counts_untoggled, loaded))
    toggles = {s.from_toggle.url for s in config.services.values() if s.from_toggle}
    found.notes += (f"from-toggle {url}: is not read" for url in sorted(toggles))
    merged = Merger(reserved=reserved_of(config), raw=loaded.raw.services).merge(composer.compose(snapshots))
    found.services = merged.services
    found.problems += merged.problems
    return found


def read_snapshot(path: Path, problems: list[Problem]) -> list[Container]:
    """Read containers from what `docker inspect` printed. Those that make no sense become problems."""
    name = "standard input" if path == STANDARD_INPUT else str(path)
    containers = []
    for number, document in enumerate(_documents(path, name)):
        try:
            containers.append(from_inspect(document))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problems.append(Problem(f"{name}: entry {number + 1}", f"is no container: {error}", "see `docker inspect`"))
    return containers


def _documents(path: Path, name: str) -> Iterator[Any]:
    hint = "expected what `docker inspect` prints: a JSON array of containers"
    try:
        text = sys.stdin.read() if path == STANDARD_INPUT else path.read_text(encoding="utf-8-sig")
        documents = json.loads(text)
    except json.JSONDecodeError as error:
        raise End(FINDING, f"{name}:{error.lineno}:{error.colno}: is no JSON: {error.msg}", hint) from None
    except (UnicodeDecodeError, RecursionError):
        raise End(FINDING, f"{name}: is no JSON", hint) from None
    except OSError as error:
        raise End(FINDING, f"{name}: cannot be read: {error.strerror or error}", hint) from None
    if isinstance(documents, dict):
        documents = [documents]
    if not isinstance(documents, list):
        raise End(FINDING, f"{name}: is neither an array nor an object", hint)
    yield from documents


def _folder(name: str, path: Path, found: Offline) -> Snapshot:
    folder = Folder(path)
    try:
        folder.look()
    except OSError as error:
        found.problems.append(Problem(f"source {name}", f"{path} cannot be read: {error.strerror or error}"))
        return Snapshot(name)
    entries, problems = folder.entries()
    found.problems += problems
    return _fixed(name, entries, found)


def _fixed(name: str, entries: Sequence[FixedService], found: Offline) -> Snapshot:
    found.notes += [f"{host}: is not looked up, its endpoint is left out" for host in sorted(wanted_names(entries))]
    services, problems = Fixed(name, time.time).build(entries, {}, {})
    return Snapshot(name, services, problems)
