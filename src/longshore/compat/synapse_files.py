"""Which files a Synapse configuration consists of, and what stands in each.

    --synapse FILE   the main file, and what its `service_conf_dir` holds
    --synapse DIR    the main file in this folder, if there is one (it says `services`, `service_conf_dir` or `global`
                     of `haproxy`); else every file of the folder is one service

Ruby's templates (ERB) are refused: they are programs. Whatever else Synapse could read, JSON and YAML, is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from longshore.config.document import Document, content, parse, unreadable
from longshore.config.problems import ConfigProblem, Place

ENDINGS = (".json", ".yaml", ".yml")
SERVICE_ENDINGS = (".json", ".yaml")  # of a service_conf_dir, as Synapse looks for them
ERB = "render it once, `erb FILE > synapse.json`, and name what comes out"


@dataclass(slots=True)
class Files:
    """What was found: the main document, and one for each service that has a file of its own."""

    name: str  # of the file or folder that was asked for
    main: Document | None = None
    services: dict[str, Document] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)  # that leave nothing to work with


def find(path: Path) -> Files:
    """Read the configuration at a path."""
    found = Files(str(path))
    if path.is_dir():
        _folder(path, found)
    else:
        found.main = _whole(_document(path), found)
    if found.main is not None:
        _service_files(found.main, path, found)
    return found


def _folder(path: Path, found: Files) -> None:
    try:
        documents = {file: _document(file) for file in _files(path, ENDINGS)}
    except OSError as error:
        found.problems += unreadable(error, path).problems
        return
    mains = [file for file, document in documents.items() if is_main(document)]
    if len(mains) > 1:
        what = f"{mains[1].name} says `services` or `haproxy` for all, and so does {mains[0].name}"
        found.problems.append(ConfigProblem(Place(str(mains[1])), what, hint="name the one that is meant"))
    elif mains:
        found.main = _whole(documents[mains[0]], found)
    elif not documents:
        hint = "it must hold synapse.conf.json, or one *.json or *.yaml for each service"
        found.problems.append(ConfigProblem(Place(str(path)), "holds no configuration of Synapse", hint=hint))
    else:
        found.services = {file.stem: document for file, document in documents.items()}


def is_main(document: Document) -> bool:
    """Whether a file is more than one service."""
    data = document.data
    if not isinstance(data, dict) or "discovery" in data or "discovery_multi" in data:
        return False
    haproxy = data.get("haproxy")
    return "services" in data or "service_conf_dir" in data or (isinstance(haproxy, dict) and "global" in haproxy)


def _whole(document: Document, found: Files) -> Document | None:
    """The main file, or None if nothing can be made of it."""
    if document.data is None and not document.problems:
        document.problems.append(ConfigProblem(Place(document.file), "is empty", hint="is this the right file?"))
    if document.data is not None and not isinstance(document.data, dict):
        what = "expected a mapping with `services` and `haproxy`"
        document.problems.append(ConfigProblem(Place(document.file, 1, 1), what))
    elif isinstance(document.data, dict) and {"discovery", "discovery_multi"} & document.data.keys():
        hint = "put it beneath `services`, or name the folder that it is in"
        what = "is one service, expected `services` and `haproxy`"
        document.problems.append(ConfigProblem(document.place((), key=True), what, hint=hint))
    fatal = [p for p in document.problems if p.steps[:1] != ("services",) or len(p.steps) < 2]
    found.problems += fatal
    return None if fatal else document


def _service_files(main: Document, path: Path, found: Files) -> None:
    said = main.data.get("service_conf_dir")
    if said is None:
        return
    place = main.place(("service_conf_dir",))
    if not isinstance(said, str):
        found.problems.append(ConfigProblem(place, "service_conf_dir must be the path of a folder"))
        return
    beside = Path(main.file).parent / said
    folder = Path(said).expanduser() if Path(said).expanduser().is_dir() else beside
    if not folder.is_dir():
        what = f"service_conf_dir: there is no folder {said}"
        hint = f"neither from here nor beside {main.file}" if beside != Path(said) else ""
        found.problems.append(ConfigProblem(place, what, hint=hint))
        return
    try:
        files = list(_files(folder, SERVICE_ENDINGS))
    except OSError as error:
        problem = unreadable(error, folder).problems[0]
        found.problems.append(ConfigProblem(place, f"service_conf_dir: {folder} {problem.what}", hint=problem.hint))
        return
    for file in files:
        if file.resolve() != Path(main.file).resolve():
            found.services[file.stem] = _document(file)


def _files(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    yield from sorted(file for file in folder.iterdir() if file.suffix in endings and not file.name.startswith("."))


def _document(path: Path) -> Document:
    try:
        written = content(path)
    except OSError as error:
        return unreadable(error, path)
    before, template, _ = written.partition(b"<%")
    if template:
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        what = "holds ERB (`<%`), which is a program in Ruby and is not run"
        return Document(str(path), problems=[ConfigProblem(Place(str(path), line, column), what, hint=ERB)])
    return parse(written, str(path), merge=True)
