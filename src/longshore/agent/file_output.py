"""Who serves what, as files for other programs: <directory>/<service>.json, as Synapse wrote them.

    services ──follow──▶ what should stand there ──watch──▶ a thread writes what is other than on the disk

Writing never holds routing up: it happens beside it, one write after the other, the newest state only. A file is
replaced as a whole, and only when its content changes, so that programs can watch it. `.longshore` in the folder lists
the files that we wrote: of a service that is gone the file goes, whatever else lies there stays (Synapse deleted it).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from longshore.agent.journal import Journal
from longshore.agent.pace import Backoff
from longshore.config.file_output import FileOutputConfig
from longshore.core.backends_file import backends, spelled
from longshore.core.model import Problem, Service

MARK = ".longshore"
MODE = 0o644


class FileOutput:
    """Keeps the files as they should be. `problem` says what is wrong with that now, `changed` that it is another."""

    def __init__(self, config: FileOutputConfig | None, changed: Callable[[], None] = lambda: None) -> None:
        self.problem: Problem | None = None
        self._config = config
        self._changed = changed
        self._services: dict[str, Service] = {}
        self._texts: dict[str, str] = {}  # what should stand in each file, by service
        self._written: dict[str, str] | None = None  # what stands in those that we wrote; None: to be looked at
        self._whole = False  # whether everything is known that can be found
        self._news = asyncio.Event()

    def take(self, config: FileOutputConfig | None) -> None:
        """The configuration was read again. Files in a folder that is no longer named stay as they are."""
        if config != self._config:
            self._config, self._written = config, None
            self._services, self._texts = {}, {}
            self.problem = None

    def note(self, services: Mapping[str, Service], *, whole: bool) -> None:
        """These are the services now. Until `whole`, nothing is known of those that are missing: their files stay."""
        if self._config is None:
            return
        chosen = self._config.services
        names = services.keys() if chosen is None else services.keys() & set(chosen)
        texts = {name: self._text(name, services[name]) for name in names}
        if whole and chosen is not None:
            texts = dict.fromkeys(chosen, "[]") | texts
        self._services = {name: services[name] for name in names}
        if texts != self._texts or whole != self._whole or self._written is None:
            self._texts, self._whole = texts, whole
            self._news.set()

    async def follow(self, journal: Journal, look: Callable[[], tuple[Mapping[str, Service], bool]]) -> None:
        """Note the services after each round, for ever; `look` gives them, and whether they are whole."""
        seq = -1
        while True:
            seq = await journal.next_change(seq)
            services, whole = look()
            self.note(services, whole=whole)

    async def watch(self) -> None:
        """Write what changes, for ever."""
        backoff = Backoff(0.5, 30.0)
        while True:
            await self._news.wait()
            self._news.clear()
            if await self.flush():
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next())
                self._news.set()

    async def flush(self) -> bool:
        """Write what is not on the disk yet. False if something could not be written."""
        config = self._config
        if config is None:
            return True
        before = self.problem
        texts, whole, written = dict(self._texts), self._whole, self._written
        try:
            if written is None:
                written = await asyncio.to_thread(_marked, config.directory)
            written = await asyncio.to_thread(_write, config.directory, texts, written, whole=whole)
            problem = None
        except OSError as error:
            written, problem = None, _problem(config.directory, error)
        if config is self._config:
            self._written, self.problem = written, problem
        if self.problem != before:
            self._changed()
        return problem is None

    def _text(self, name: str, service: Service) -> str:
        known = self._services.get(name)
        return self._texts[name] if known is service and name in self._texts else spelled(backends(service))


def _problem(directory: Path, error: OSError) -> Problem:
    what = f"{error.filename or directory} cannot be written: {error.strerror or error}"
    hint = "Make room or give longshore access. Traffic is not affected; it is tried again every few seconds."
    return Problem(f"file-output {directory}", what, hint)


def _marked(directory: Path) -> dict[str, str]:
    """What stands in the files that we wrote in another life, by service."""
    try:
        names = json.loads((directory / MARK).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return {name: "" for name in names if isinstance(name, str)} if isinstance(names, list) else {}


def _write(directory: Path, texts: Mapping[str, str], written: Mapping[str, str], *, whole: bool) -> dict[str, str]:
    """Bring the folder up to date; returns what stands there now. Raises OSError."""
    gone = written.keys() - texts.keys() if whole else set()
    now = {name: text for name, text in written.items() if name not in gone}
    changed = {name: text for name, text in texts.items() if written.get(name) != text}
    if not changed and not gone:
        return now
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    if changed.keys() - written.keys():
        _mark(directory, written.keys() | changed.keys())  # first: what we wrote must be known as ours
    for name, text in changed.items():
        file = directory / f"{name}.json"
        if not _says(file, text):
            _put(file, text)
        now[name] = text
    for name in gone:
        (directory / f"{name}.json").unlink(missing_ok=True)
    if gone:
        _mark(directory, now.keys())
    return now


def _says(file: Path, text: str) -> bool:
    """Whether a file says this already, in whatever spelling and order of its keys."""
    try:
        found: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == json.loads(text))


def _mark(directory: Path, names: Collection[str]) -> None:
    _put(directory / MARK, json.dumps(sorted(names)))


def _put(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.tmp")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), MODE)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
