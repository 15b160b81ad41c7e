"""What stays of a service that was good when a forerunner's configuration was read before, and is set aside now: all.

It is taken from the earlier document as it was understood, with the sources that it is found in and the lines that it
gives to sections of all. So a file that becomes broken while longshore runs takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from longshore.config.document import Document
from longshore.config.messages import look_up
from longshore.config.problems import ConfigProblem, Path

GOES_ON = "its last good version goes on"


def with_last_good(document: Document, before: Document, valid: Callable[[Document], bool]) -> Document:
    """The document with every service that it sets aside as `before` had it, unless the whole is not valid then."""
    gone = sorted({_path(problem) for problem in document.set_aside if problem.service}, key=str)
    gone = [path for path in gone if isinstance(look_up(before.data, path), dict) and _was_good(path, before)]
    if not gone or valid(whole := _laid(document, before, gone)):
        return whole if gone else document
    kept: list[Path] = []
    for path in gone:
        if valid(_laid(document, before, [*kept, path])):
            kept.append(path)
    return _laid(document, before, kept)


def _path(problem: ConfigProblem) -> Path:
    """Where the service that a problem is about stands in our document."""
    return problem.steps[:3] if problem.steps[0] == "register" else problem.steps[:2]


def _was_good(path: Path, before: Document) -> bool:
    return path in before.kept or all(_path(problem) != path for problem in before.set_aside if problem.service)


def _laid(document: Document, before: Document, paths: Sequence[Path]) -> Document:
    made = replace(
        document,
        data=deepcopy(document.data),
        keys=dict(document.keys),
        values=dict(document.values),
        lent={name: list(lines) for name, lines in document.lent.items()},
        kept=frozenset(paths),
        set_aside=[
            replace(each, what=f"{each.what}; {GOES_ON}") if each.service and _path(each) in paths else each
            for each in document.set_aside
        ],
        problems=[],
        notes=list(document.notes),
    )
    for path in paths:
        _lay(made, before, path)
    return made


def _lay(made: Document, before: Document, path: Path) -> None:
    """Put one service in, and what it needs."""
    said = _copy(made, before, path, path)
    for owner, key in _found_in(said):
        owner[key] = _source(made, before, owner[key])
    if path[0] == "register" and said.get("registry"):
        ours, earlier = made.data["register"], before.data["register"]
        names = [said["registry"]] if isinstance(said["registry"], str) else said["registry"]
        ours["registry"] = list(dict.fromkeys((*ours.get("registry", []), *names)))
        if "ttl" in earlier:
            ours.setdefault("ttl", earlier["ttl"])
    for where, line, place in before.lent.get(str(path[-1]), []):
        section = look_up(made.data, where)
        if isinstance(section, list):
            made.values[(*where, len(section))] = place
            section.append(line)
            made.lent.setdefault(str(path[-1]), []).append((where, line, place))


def _copy(made: Document, before: Document, path: Path, to: Path) -> Any:
    """Copy a value with its places; gives the copy."""
    said = deepcopy(look_up(before.data, path))
    inside = made.data
    for step in to[:-1]:
        inside = inside.setdefault(step, {})
    inside[to[-1]] = said
    for mine, theirs in ((made.keys, before.keys), (made.values, before.values)):
        for old in [old for old in mine if old[: len(to)] == to]:
            del mine[old]
        mine.update({(*to, *old[len(path) :]): place for old, place in theirs.items() if old[: len(path)] == path})
    return said


def _found_in(said: dict[str, Any]) -> Iterable[tuple[dict[str, Any], str]]:
    """The mappings of a service that name a source, with the key that does."""
    origin = said.get("from", [])
    for item in origin if isinstance(origin, list) else [origin]:
        if isinstance(item, dict) and isinstance(item.get("source"), str):
            yield item, "source"
    if isinstance(said.get("registry"), str):
        yield said, "registry"


def _source(made: Document, before: Document, name: str) -> str:
    """The name of a source of the earlier document in this one, where another may have that name by now."""
    wanted = look_up(before.data, ("sources", name))
    free = name
    while wanted is not None and (there := look_up(made.data, ("sources", free))) != wanted:
        if there is None:
            _copy(made, before, ("sources", name), ("sources", free))
        else:
            free += "-before"
    return free
