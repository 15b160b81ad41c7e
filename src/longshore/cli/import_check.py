"""Whether a forerunner's configuration and the longshore.yaml made of it route alike, as far as files can tell."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from longshore.cli.offline import STANDARD_INPUT, Offline, gather
from longshore.cli.render import files_of
from longshore.cli.text import plural
from longshore.config import Loaded
from longshore.core.capabilities import TYPICAL
from longshore.core.conflicts import text_of
from longshore.core.model import Service
from longshore.core.paths import Paths


@dataclass(slots=True)
class Comparison:
    """What was compared, in sentences, and where the two differ."""

    same: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # what files cannot tell


def compare(theirs: Loaded, ours: Loaded, snapshot: Path | None) -> Comparison:
    """Compare two valid configurations, with the containers of a snapshot if there is one."""
    found = Comparison()
    _settings(theirs, ours, found)
    if snapshot == STANDARD_INPUT:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as copy:  # it is read twice
            copy.write(sys.stdin.read())
            copy.flush()
            here, there = gather(theirs, Path(copy.name)), gather(ours, Path(copy.name))
    else:
        here, there = gather(theirs, snapshot), gather(ours, snapshot)
    found.unknown = there.notes
    _services(here, there, found)
    if ours.config.register_ and not (ours.config.frontends or here.services):
        return found  # it registers, and serves nothing
    for major, minor in (min(TYPICAL), max(TYPICAL)):
        _rendered(f"{major}.{minor}", _files(theirs, here, (major, minor)), _files(ours, there, (major, minor)), found)
    return found


def _settings(theirs: Loaded, ours: Loaded, found: Comparison) -> None:
    one, other = theirs.config, ours.config
    for name, info in type(one).model_fields.items():
        if getattr(one, name) != getattr(other, name):
            found.different.append(f"{info.alias or name}: {getattr(one, name)!r} became {getattr(other, name)!r}")
    if theirs.specs != ours.specs or theirs.raw != ours.raw:
        found.different.append("services: their keys or their own lines")
    found.same.append(f"{plural(len(type(one).model_fields), 'section')} of settings")


def _services(theirs: Offline, ours: Offline, found: Comparison) -> None:
    one, other = ({service.name: _placeless(service) for service in each.services} for each in (theirs, ours))
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) == other.get(name):
            found.same.append(_shown(one[name]))
        else:
            found.different.append(f"service {name}: {one.get(name)!r} became {other.get(name)!r}")
    said, says = ({(problem.what, problem.service) for problem in each.problems} for each in (theirs, ours))
    found.different += [f"only one has the problem: {what}" for what, _ in sorted(said ^ says)]


def _placeless(service: Service) -> Service:
    """A service without what tells where, and when, it was read."""
    return replace(service, endpoints=tuple(replace(each, reason="", since=0.0) for each in service.endpoints))


def _shown(service: Service) -> str:
    routes = ", ".join(text_of(route, service.mode) for route in service.routes) or "no route"
    endpoints = ", ".join(f"{endpoint.address}:{endpoint.port}" for endpoint in service.endpoints)
    return f"service {service.name}: {routes} → {endpoints or 'no endpoints'}"


def _files(loaded: Loaded, found: Offline, series: tuple[int, int]) -> dict[str, str]:
    """haproxy.cfg and the maps, by their paths; or why there are none."""
    paths = Paths(str(loaded.config.state_dir))
    try:
        text, maps = files_of(loaded, paths, TYPICAL[series], found.services, found.problems)
    except ValueError as error:
        return {paths.config: str(error)}
    return {paths.config: text, **maps}


def _rendered(series: str, theirs: dict[str, str], ours: dict[str, str], found: Comparison) -> None:
    other = [path for path in sorted(theirs.keys() | ours.keys()) if theirs.get(path) != ours.get(path)]
    found.different += [f"HAProxy {series}: {line}" for path in other for line in _lines(path, theirs, ours)]
    if not other:
        lines = sum(text.count("\n") for text in ours.values())
        found.same.append(f"haproxy.cfg and maps for HAProxy {series}: {plural(lines, 'line')}")


def _lines(path: str, theirs: dict[str, str], ours: dict[str, str]) -> Iterator[str]:
    one, other = (each.get(path, "").splitlines() for each in (theirs, ours))
    yield from (f"{path}: only before: {line.strip()}" for line in one if line not in other)
    yield from (f"{path}: only now: {line.strip()}" for line in other if line not in one)
