"""Which files a Nerve configuration consists of, and what stands in each.

    --nerve FILE   the main file, and what its `service_conf_dir` holds
    --nerve DIR    the main file in this folder, if there is one (it says `instance_id`, `services` or
                   `service_conf_dir`); else every file of the folder is one service

A file of `service_conf_dir` wins over a service of the same name in the main file, as with Nerve. Yelp's overlay
(`-o`) is laid over both: its mappings are merged, everything else replaces what was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshore.config.document import Document, content, parse, unreadable
from longshore.config.messages import look_up
from longshore.config.problems import ConfigProblem, Place
from longshore.config.problems import Path as Steps

ENDINGS = (".json", ".yaml", ".yml")
SERVICE_ENDINGS = (".json", ".yaml")  # of a service_conf_dir, as Nerve looks for them
MAIN = ("instance_id", "services", "service_conf_dir")


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service is said. `file` holds what is wrong with it, if it has a file of its own."""

    document: Document
    steps: Steps
    own: bool


@dataclass(slots=True)
class Files:
    """What was found: the main document, and the services, whichever file says them."""

    name: str  # of the file or folder that was asked for
    main: Document
    services: dict[str, Service] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)  # that leave nothing to work with
    passed_over: list[tuple[str, Place]] = field(default_factory=list)  # services that have a file of their own


def find(path: Path, overlay: Path | None = None) -> Files:
    """Read the configuration at a path."""
    found = Files(str(path), Document(str(path), data={}, values={(): Place(str(path), 1, 1)}))
    own: dict[str, Document] = {}
    if path.is_dir():
        own = _folder(path, found)
    else:
        found.main = _document(path)
    _judge(found)
    if not found.problems:
        own |= _service_files(found)
    over = _document(overlay) if overlay else None
    if over is not None:
        found.problems += [problem for problem in over.problems if not _is_service(problem)]
        lay_over(found.main, (), over, (), but=("services",))
    if found.problems:
        return found
    services = found.main.data.get("services")
    for name in services if isinstance(services, dict) else ():
        if name in own:
            found.passed_over.append((name, found.main.place(("services", name), key=True)))
        found.services[name] = Service(found.main, ("services", name), own=False)
    found.services |= {name: Service(document, (), own=True) for name, document in own.items()}
    if over is not None:
        _overlay_services(found, over)
    return found


def lay_over(below: Document, steps: Steps, above: Document, inner: Steps, *, but: tuple[str, ...] = ()) -> None:
    """Lay a mapping of one document over a mapping of another, with its places."""
    ground, said = look_up(below.data, steps), look_up(above.data, inner)
    if not isinstance(ground, dict) or not isinstance(said, dict):
        return
    for key, value in said.items():
        here, there = (*steps, key), (*inner, key)
        if key in but:
            continue
        if isinstance(value, dict) and isinstance(ground.get(key), dict):
            lay_over(below, here, above, there)
            continue
        ground[key] = value
        for mine, theirs in ((below.keys, above.keys), (below.values, above.values)):
            for old in [old for old in mine if old[: len(here)] == here]:
                del mine[old]
            mine |= {(*here, *p[len(there) :]): place for p, place in theirs.items() if p[: len(there)] == there}


def _overlay_services(found: Files, over: Document) -> None:
    said = look_up(over.data, ("services",))
    for name in said if isinstance(said, dict) else ():
        if (service := found.services.get(name)) is not None:
            lay_over(service.document, service.steps, over, ("services", name))
        else:
            found.services[name] = Service(over, ("services", name), own=False)


def _folder(path: Path, found: Files) -> dict[str, Document]:
    """Read a folder: its main file, or else the services that its files are."""
    try:
        documents = {file: _document(file) for file in _files(path, ENDINGS)}
    except OSError as error:
        found.problems += unreadable(error, path).problems
        return {}
    mains = [file for file, document in documents.items() if _is_main(document.data)]
    if len(mains) > 1:
        what = f"{mains[1].name} is a whole configuration, and so is {mains[0].name}"
        found.problems.append(ConfigProblem(Place(str(mains[1])), what, hint="name the one that is meant"))
    elif mains:
        found.main = documents[mains[0]]
    elif not documents:
        hint = "it must hold nerve.conf.json, or one *.json or *.yaml for each service"
        found.problems.append(ConfigProblem(Place(str(path)), "holds no configuration of Nerve", hint=hint))
    else:
        return {file.stem: document for file, document in documents.items()}
    return {}


def _is_main(data: Any) -> bool:
    return isinstance(data, dict) and any(key in data for key in MAIN) and "port" not in data


def _judge(found: Files) -> None:
    main = found.main
    found.problems += [problem for problem in main.problems if not _is_service(problem)]
    if not found.problems and main.data is None:
        found.problems.append(ConfigProblem(Place(main.file), "is empty", hint="is this the right file?"))
    if not found.problems and not isinstance(main.data, dict):
        found.problems.append(
            ConfigProblem(Place(main.file, 1, 1), "expected a mapping with `instance_id`, `services`")
        )


def _is_service(problem: ConfigProblem) -> bool:
    """Whether a complaint concerns one service alone."""
    return problem.steps[:1] == ("services",) and len(problem.steps) > 1


def _service_files(found: Files) -> dict[str, Document]:
    said = found.main.data.get("service_conf_dir")
    if said is None:
        return {}
    place = found.main.place(("service_conf_dir",))
    if not isinstance(said, str):
        found.problems.append(ConfigProblem(place, "service_conf_dir must be the path of a folder"))
        return {}
    beside = Path(found.main.file).parent / said
    folder = Path(said).expanduser() if Path(said).expanduser().is_dir() else beside
    if not folder.is_dir():
        hint = f"neither from here nor beside {found.main.file}" if beside != Path(said) else ""
        found.problems.append(ConfigProblem(place, f"service_conf_dir: there is no folder {said}", hint=hint))
        return {}
    try:
        files = list(_files(folder, SERVICE_ENDINGS))
    except OSError as error:
        problem = unreadable(error, folder).problems[0]
        found.problems.append(ConfigProblem(place, f"service_conf_dir: {folder} {problem.what}", hint=problem.hint))
        return {}
    main = Path(found.main.file).resolve()
    return {file.stem: _document(file) for file in files if file.resolve() != main}


def _files(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    yield from sorted(file for file in folder.iterdir() if file.suffix in endings and not file.name.startswith("."))


def _document(path: Path) -> Document:
    try:
        return parse(content(path), str(path), merge=True)
    except OSError as error:
        return unreadable(error, path)
