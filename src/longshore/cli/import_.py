"""`longshore import`: what a forerunner's configuration says, as a longshore.yaml."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.agent.report import to_json
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.import_check import Comparison, compare
from longshore.cli.import_text import as_yaml
from longshore.cli.options import AsJson, NerveInstance, NerveOverlay, Snapshot
from longshore.cli.shown import problem_lines
from longshore.cli.text import clean, plural, say, say_json
from longshore.config import Loaded, load
from longshore.config.document import Document, parse
from longshore.config.load import Foreign
from longshore.config.problems import ConfigProblem

Out = Annotated[Path | None, Parameter(help="Write it into this file instead.")]
Check = Annotated[
    bool,
    Parameter(negative="", help="Print no configuration: compare what both mean, and tell what was compared."),
]


@dataclass(frozen=True, slots=True)
class Way:
    """What is to be done with what was read."""

    out: Path | None
    check: bool
    as_json: bool
    snapshot: Path | None = None


def synapse(
    path: Annotated[Path, Parameter(help="Synapse's file, JSON or YAML, or the folder with its files.")],
    /,
    *,
    out: Out = None,
    check: Check = False,
    snapshot: Snapshot = None,
    as_json: AsJson = False,
) -> int:
    """Print Synapse's configuration as a longshore.yaml, with a comment wherever something means something else now.

    `longshore up --synapse` does the same without a new file. A service that cannot be served as it is stands at the
    end as a comment, with the reason; then it ends with 1.
    """
    from longshore.compat import synapse as reader

    return _import(f"synapse {path}", partial(reader.read, path, os.environ), Way(out, check, as_json, snapshot))


def nerve(
    path: Annotated[Path, Parameter(help="Nerve's file, JSON or YAML, or the folder with its files.")],
    /,
    *,
    instance_id: NerveInstance = "",
    config_overlay: NerveOverlay = None,
    out: Out = None,
    check: Check = False,
    as_json: AsJson = False,
) -> int:
    """Print Nerve's configuration as a longshore.yaml, with a comment wherever something means something else now.

    `longshore register --nerve` does the same without a new file. A service that cannot be registered as it is stands
    at the end as a comment, with the reason; then it ends with 1.
    """
    from longshore.compat import nerve as reader

    read = partial(reader.read, path, os.environ, instance=instance_id, overlay=config_overlay)
    return _import(f"nerve {path}", read, Way(out, check, as_json))


def docker_discover(*, out: Out = None, check: Check = False, as_json: AsJson = False) -> int:
    """Print what docker-discover does, by its environment, as a longshore.yaml: ETCD_HOST.

    `longshore up --docker-discover` does the same without a file.
    """
    from longshore.compat import docker_register as reader

    return _import("docker-discover", partial(reader.discover, os.environ), Way(out, check, as_json))


def docker_register(*, out: Out = None, check: Check = False, as_json: AsJson = False) -> int:
    """Print what docker-register does, by its environment, as a longshore.yaml: HOST_IP, ETCD_HOST, DOCKER_HOST.

    `longshore register --docker-register` does the same without a file.
    """
    from longshore.compat import docker_register as reader

    return _import("docker-register", partial(reader.register, os.environ), Way(out, check, as_json))


def registrator(
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True, help="registrator's own: [FLAGS] URI.")],
    out: Out = None,
    check: Check = False,
    as_json: AsJson = False,
) -> int:
    """Print what registrator does with these arguments as a longshore.yaml.

    `longshore register --registrator` does the same without a file. Options of longshore's come first.
    """
    from longshore.compat import registrator as reader

    source = f"registrator {' '.join(arguments)}"
    return _import(source, partial(reader.read, arguments, os.environ), Way(out, check, as_json))


def _import(source: str, reader: Foreign, way: Way) -> int:
    if way.snapshot and not way.check:
        raise End(USAGE, "--snapshot: has a meaning with --check only")
    document = reader()
    loaded = load(None, os.environ, foreign=reader)
    if document.data is None or loaded.valid is None:
        return _broken(loaded.problems, way)
    data = _served(document, loaded)
    notes = [note for note in loaded.notes if not _is_left_out(note, data)]
    text = as_yaml(data, source, notes, loaded.set_aside)
    if way.check:
        _compared(compare(loaded, _read_again(text), way.snapshot), way)
        if left := len({problem.service for problem in loaded.set_aside}) and not way.as_json:
            say(f"left out: {plural(left, 'service')}")
    elif way.as_json:
        answer = {"config": data, "notes": list(map(str, notes)), "problems": list(map(str, loaded.set_aside))}
        say_json(answer)
    elif way.out:
        _write(way.out, text)
        say(f"{way.out} written: {plural(len(notes), 'note')}, {plural(len(loaded.set_aside), 'problem')}")
    else:
        sys.stdout.write(text)
    for line in problem_lines(p.as_problem() for p in loaded.set_aside):
        print(line, file=sys.stderr)
    return FINDING if loaded.set_aside else FINE


def _broken(problems: tuple[ConfigProblem, ...], way: Way) -> int:
    if way.as_json:
        say_json({"config": None, "notes": [], "problems": to_json([p.as_problem() for p in problems])})
    else:
        print(*problem_lines(p.as_problem() for p in problems), sep="\n", file=sys.stderr)
    return FINDING


def _served(document: Document, loaded: Loaded) -> dict[str, Any]:
    """What was read, without the services that the validation set aside."""
    known = set(document.set_aside)
    names = {problem.service for problem in loaded.set_aside if problem not in known}
    return {key: _without(key, value, names) for key, value in document.data.items()}


def _without(key: str, value: Any, names: set[str]) -> Any:
    if key == "services" and isinstance(value, Mapping):
        return {name: said for name, said in value.items() if name not in names}
    if key == "register" and isinstance(value, Mapping):
        return {inner: _without(inner, said, names) for inner, said in value.items()}
    return value


def _is_left_out(note: ConfigProblem, data: Mapping[str, Any]) -> bool:
    """Whether a note is about a service that is left out, and so not worth a line."""
    below = data.get("register") or {} if note.steps[:1] == ("register",) else data
    return bool(note.service) and note.service not in (below.get("services") or {})


def _read_again(text: str) -> Loaded:
    """The configuration that the text makes."""
    loaded = load(None, os.environ, foreign=lambda: parse(text.encode(), "longshore.yaml"))
    if loaded.valid is None or loaded.set_aside:
        said = "\n".join(map(str, (*loaded.problems, *loaded.set_aside)))
        raise End(FINDING, f"what was made is not valid, which is a defect:\n{said}", "please report it")
    return loaded


def _compared(found: Comparison, way: Way) -> None:
    if way.as_json:
        say_json({"same": found.same, "different": found.different, "not compared": found.unknown})
    else:
        say(*(f"the same: {clean(line)}" for line in found.same))
        say(*(f"not compared: {clean(line)}" for line in found.unknown))
    if found.different:
        said = "\n".join(found.different)
        raise End(FINDING, f"not the same:\n{said}", "please report it: what is printed should mean the same")


def _write(out: Path, text: str) -> None:
    if out.exists():
        raise End(FINDING, f"{out} exists already", "name another file, or remove it: somebody may have changed it")
    out.write_text(text, encoding="utf-8")
