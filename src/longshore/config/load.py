"""From file, environment and defaults to one checked configuration, or to everything that is wrong with it.

The file is the one named by `--config`, else by `LONGSHORE_CONFIG`, else `/etc/longshore/longshore.yaml` if it exists.
Without any, the defaults run: HTTP on :80 (:8080 when not root), the local Docker engine, admin on 127.0.0.1:8404.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from longshore.config import environment
from longshore.config.checks import check
from longshore.config.document import Document, read
from longshore.config.entries import FixedService, check_all_keys, check_service, fixed
from longshore.config.last_good import with_last_good
from longshore.config.messages import problems_of
from longshore.config.origins import Origin, origins
from longshore.config.problems import ConfigError, ConfigProblem, Place, in_order
from longshore.config.raw_lines import check_own_lines, own_lines
from longshore.config.schema import Config
from longshore.config.stand_in import stand_in
from longshore.core.model import Problem
from longshore.core.raw import RawSaid
from longshore.core.spec import Spec

DEFAULT_PATH = Path("/etc/longshore/longshore.yaml")
Foreign = Callable[[], Document]
"""Reads the configuration of a forerunner and says it in our terms, with the places of its own files."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` found: a configuration, or problems."""

    valid: Config | None  # None if there are problems
    problems: tuple[ConfigProblem, ...] = ()  # sorted by position
    origins: Mapping[str, Origin] = field(default_factory=dict)  # by path, "haproxy.binary"
    path: Path | None = None  # the file that was read; None without one
    specs: Mapping[str, Spec] = field(default_factory=dict)  # of every entry of `services`, by name
    fixed: tuple[FixedService, ...] = ()  # those of `services` that have `endpoints`, and what is `fallback`
    notes: tuple[ConfigProblem, ...] = ()  # what a forerunner's configuration says in other words than ours
    raw: RawSaid = field(default_factory=RawSaid)  # the operator's own lines for HAProxy's configuration
    set_aside: tuple[ConfigProblem, ...] = ()  # services of a forerunner's configuration that are left out, and why
    document: Document | None = field(default=None, compare=False, repr=False)  # a forerunner's, as it was understood

    @property
    def config(self) -> Config:
        """The configuration; raises `ConfigError` with all problems if there is none."""
        if self.valid is None:
            raise ConfigError(self.problems)
        return self.valid


def set_aside(loaded: Loaded) -> tuple[Problem, ...]:
    """The services that are left out, for `status`."""
    return tuple(problem.as_problem() for problem in loaded.set_aside)


def left_out(loaded: Loaded) -> frozenset[str]:
    """The services of them that are not served at all: no earlier version goes on."""
    kept = loaded.document.kept if loaded.document else ()
    paths = [problem.steps[:2] for problem in loaded.set_aside if problem.service and problem.steps[0] == "services"]
    return frozenset(str(path[1]) for path in paths if path not in kept)


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    root: bool | None = None,
    default_path: Path = DEFAULT_PATH,
    foreign: Foreign | None = None,
    last: Loaded | None = None,
) -> Loaded:
    """Read the configuration. Never raises for what is wrong with it: that is in `problems`, all at once.

    `root` says whose defaults apply; by default those of the user that this process runs as. `foreign` is read in place
    of a file; nothing is then listened to or discovered but what it says, and a service that is wrong is set aside, or
    goes on as it was in `last`.
    """
    root = os.geteuid() == 0 if root is None else root
    path = None if foreign else find(path, environ, default_path)
    document = foreign() if foreign else _document(path)
    if document.data is None:
        return Loaded(None, tuple(document.problems), path=path)
    _spell_out(document)
    defaults = _defaults(environ, root=root)
    document.data = defaults | ({"frontends": {}, "sources": {}} if foreign else {}) | document.data
    environment.apply(document, environ)
    environment.docker(document, environ)
    environment.aws(document, environ)
    loaded = _validated(document, path)
    while foreign and loaded.valid is None and all(problem.service for problem in loaded.problems):
        _set_aside(document, loaded.problems)
        loaded = _validated(document, path)
    if foreign and loaded.valid and last and last.document:
        document = with_last_good(document, last.document, lambda each: _validated(each, path).valid is not None)
        loaded = _validated(document, path)
    if foreign:
        loaded = replace(loaded, document=document)
    return replace(loaded, notes=in_order(document.notes), set_aside=in_order(document.set_aside))


def _validated(document: Document, path: Path | None) -> Loaded:
    folder = path.absolute().parent if path else Path.cwd()
    try:
        config = Config.model_validate(document.data, by_alias=True, by_name=False, context={"folder": folder})
    except ValidationError as error:
        found = [*document.problems, *problems_of(error, document), *check_all_keys(document)]
        return Loaded(None, in_order(found), path=path)
    return _checked(config, document, path)


def _set_aside(document: Document, problems: Iterable[ConfigProblem]) -> None:
    """Take the services out that something is wrong with; of those that others lead to the backends stay."""
    document.set_aside += problems
    register, services = document.data.get("register"), document.data.get("services")
    names = {problem.service: problem.steps[0] == "register" for problem in problems}
    for name, registered in names.items():
        if registered:
            register["services"].pop(name, None)
        elif isinstance(services, dict):
            gone = services.pop(name, None)
            kept = stand_in(document.data, name, gone)
            if kept and kept != gone:
                services[name] = kept
    document.problems.clear()


def find(path: Path | None, environ: Mapping[str, str], default_path: Path = DEFAULT_PATH) -> Path | None:
    """The file to read: as asked, else of the environment, else the default one if it is there."""
    if path is not None:
        return path
    if environ.get("LONGSHORE_CONFIG"):
        return Path(environ["LONGSHORE_CONFIG"])
    return default_path if os.path.lexists(default_path) else None


def _document(path: Path | None) -> Document:
    if path is None:
        return Document("defaults", data={}, values={(): Place("defaults")})
    document = read(path)
    if document.problems and document.data is None:
        return document
    if document.data is None:
        hint = "remove it to run with the defaults, or write for example `sources: {docker: {}}`"
        document.problems.append(ConfigProblem(Place(document.file), "is empty", hint=hint))
    elif not isinstance(document.data, dict):
        what = "expected settings (`key: value`)"
        hint = "is the space after the colon missing?" if isinstance(document.data, str) else ""
        document.problems.append(ConfigProblem(Place(document.file, 1, 1), what, hint=hint))
        document.data = None
    return document


def _spell_out(document: Document) -> None:
    """Drop sections without content, and write short forms of frontends in full, for the environment to add to."""
    data = document.data
    for key in [key for key, value in data.items() if value is None]:
        del data[key]
    sources = data.get("sources")
    if isinstance(sources, dict):
        sources.update({name: {} for name, source in sources.items() if source is None})
    frontends = data.get("frontends")
    if isinstance(frontends, dict):
        for name, short in frontends.items():
            if not isinstance(short, dict):
                frontends[name] = {"bind": short}
                place = document.values[("frontends", name)]
                for known in (document.values, document.keys):
                    known[("frontends", name, "bind")] = place


def _defaults(environ: Mapping[str, str], *, root: bool) -> dict[str, object]:
    """What holds where the file says nothing, as the file would say it."""
    home = Path(environ.get("HOME") or Path.home())
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "longshore"
    return {
        "frontends": {"http": {"bind": ":80" if root else ":8080"}},
        "state-dir": "/var/lib/longshore" if root else str(state),
        "sources": {"docker": {}},
    }


def _checked(config: Config, document: Document, path: Path | None) -> Loaded:
    problems = [*document.problems, *check(config, document)]
    specs: dict[str, Spec] = {}
    for name, service in config.services.items():
        spec, found = check_service(name, service, document)
        problems += found
        if spec is not None:
            specs[name] = spec
    problems += check_own_lines(config, specs, document)
    if problems:
        return Loaded(None, in_order(problems), path=path)
    ready = [
        fixed(name, service, specs[name], document)
        for name, service in config.services.items()
        if service.fallback or not service.origins
    ]
    raw = own_lines(config, specs, document)
    return Loaded(config, (), origins(config, document), path, specs, tuple(ready), raw=raw)
