"""The source `file`: a folder of YAML files with services and fixed endpoints.

    services:
      db:
        tcp: ":5432"
        endpoints: ["10.0.0.5:5432", {address: vm1.internal, port: 5432, weight: 50}]

The folder is read every second and compared by content (notifications do not cross bind mounts). What is broken keeps
its last good version: a whole file that is no YAML or empty, a single service that is wrong, all of it when the folder
cannot be read. Only a file that is gone takes its services along.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from longshore.config.document import Document, content, parse, unreadable
from longshore.config.entries import FixedService, services_file
from longshore.config.problems import ConfigProblem
from longshore.core.model import Problem, Snapshot
from longshore.sources.blocking import in_thread
from longshore.sources.fixed import Clock, Fixed, Publish, known_names, wanted_names
from longshore.sources.names import REFRESH, Lookup, Names, lookup

POLL = 1.0  # seconds between looks at the folder


class FileSettings(Protocol):
    """What the source needs of its configuration."""

    @property
    def path(self) -> Path:
        """The folder, or a single file."""


@dataclass(slots=True)
class _File:
    digest: bytes = b""
    good: dict[str, FixedService] = field(default_factory=dict)  # the last good version of each service
    unknown: frozenset[str] = frozenset()  # services that are written, but were never right
    readable: bool = True  # False: not even the names of its services are known
    problems: tuple[ConfigProblem, ...] = ()

    def take(self, digest: bytes, document: Callable[[], Document]) -> bool:
        """Take over what the file says now, where it is right. False if it is the same as before."""
        if digest == self.digest:
            return False
        found = services_file(document())
        self.digest, self.problems = digest, found.problems
        if found.readable:
            kept = {name: service or self.good.get(name) for name, service in found.services.items()}
            self.good = {name: service for name, service in kept.items() if service}
            self.unknown = frozenset(kept.keys() - self.good.keys())
        self.readable = found.readable or bool(self.good)
        return True

    def told(self, problem: ConfigProblem) -> Problem:
        """A problem for people, with what it means for traffic."""
        kept = problem.service in self.good if problem.service else bool(self.good)
        meaning = "the last good version stays in use" if kept else ""
        return replace(problem, hint="; ".join(filter(None, (problem.hint, meaning)))).as_problem()


class Folder:
    """What the files of a folder say, and what they said when they were last right."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[Path, _File] = {}
        self.changed = False  # whether something is new since who uses it has set this to False
        self._seen = False

    def look(self) -> None:
        """Read what has changed, and note in `changed` if anything has. Raises OSError if the folder cannot be read."""
        paths = self._paths()
        gone = self._files.keys() - paths
        for path in gone:
            del self._files[path]
        news = [self._read(path) for path in paths]
        self.changed |= any(news) or bool(gone) or not self._seen
        self._seen = True

    def _paths(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        listed = sorted(self.path.iterdir())
        named = [path for path in listed if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")]
        return [path for path in named if path.is_file() or not path.exists()]

    def _read(self, path: Path) -> bool:
        file = self._files.setdefault(path, _File())
        try:
            written = content(path)
        except OSError as error:
            return file.take(str(error).encode(), partial(unreadable, error, path))
        return file.take(hashlib.sha256(written).digest(), partial(parse, written, str(path)))

    def entries(self) -> tuple[tuple[FixedService, ...], tuple[Problem, ...]]:
        """The services of all files, and what is wrong with them. Of two with one name the first file's counts."""
        services: dict[str, FixedService] = {}
        problems: list[Problem] = []
        for path in sorted(self._files):
            file = self._files[path]
            problems += [file.told(problem) for problem in file.problems]
            for name, service in file.good.items():
                if (first := services.setdefault(name, service)) is not service:
                    what = f"service {name} is written in {first.place} already, which counts"
                    problems.append(Problem(str(service.place), what, "give it another name, or remove it", name))
        return tuple(services.values()), tuple(problems)

    def may_have(self, name: str) -> bool:
        """Whether a service could be written in what was not understood yet."""
        return not self._seen or any(name in file.unknown or not file.readable for file in self._files.values())


async def watch(
    name: str,
    settings: FileSettings,
    publish: Publish,
    *,
    last: Snapshot | None = None,
    poll: float = POLL,
    clock: Clock = time.time,
    lookup: Lookup = lookup,
    refresh: float = REFRESH,
) -> None:
    """Publish what the files say, for ever; again when a file or the address of a name changes.

    `last` is the snapshot of an earlier run: it stands in for files that are broken from the start.
    """
    folder = Folder(settings.path)
    names = Names(known=known_names(last), lookup=lookup, refresh=refresh)
    earlier = last.services if last else ()
    fixed = Fixed(name, clock, earlier)
    stale: str | None = None
    try:
        while True:
            before, stale = stale, await _look(folder)
            if folder.changed or names.changed.is_set() or stale != before:
                folder.changed = False
                names.changed.clear()
                entries, problems = folder.entries()
                names.want(wanted_names(entries))
                services, unresolved = fixed.build(entries, names.addresses, names.failures)
                written = {service.name for service in services}
                stand_ins = [old for old in earlier if old.name not in written and folder.may_have(old.name)]
                if stale:
                    problems = (Problem(f"source {name}", stale, "what was read before stays in use"), *problems)
                publish(Snapshot(name, (*services, *stand_ins), (*problems, *unresolved), stale))
            with suppress(TimeoutError):
                await asyncio.wait_for(names.changed.wait(), poll)
    finally:
        await names.close()


async def _look(folder: Folder) -> str:
    """Look at the folder; say why it cannot be read, if so."""
    try:
        await in_thread(folder.look, f"read {folder.path}")
    except FileNotFoundError:
        return f"{folder.path} does not exist"
    except OSError as error:
        return f"{folder.path} cannot be read: {error.strerror or error}"
    return ""
