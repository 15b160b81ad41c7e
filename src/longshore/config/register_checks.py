"""What is wrong with the section `register`, seen beside the sources."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.config.document import Document
from longshore.config.problems import ConfigProblem, Path, suggestion
from longshore.config.register_process import RegisteredProcess
from longshore.config.registries import REGISTRIES, WRITABLE, Registry
from longshore.config.schema import Config
from longshore.config.section import kebab
from longshore.core import spec
from longshore.core.keys import KEYS
from longshore.core.values import words

FOLDERS = ("native", "nerve")  # layouts whose entries may stand in any folder
ONLY_ZOOKEEPER = ("node_type", "touch", "path_encoding")  # what says how a node is


def check_register(config: Config, document: Document) -> Iterator[ConfigProblem]:
    """Registries that are none, or only read; services that cannot be written there."""
    register = config.register_
    if register is None:
        return
    registries = [name for name, source in config.sources.items() if source.type in REGISTRIES]
    if not registries and not register.containers and all(each.registry == () for each in register.services.values()):
        return  # nothing is written anywhere
    if not registries:
        path: Path = ("register",)
        hint = "add one: `sources: {etcd: {}}`"
        yield ConfigProblem(document.place(path, key=True), "there is no registry among the sources", path, hint)
        return
    path = ("register", "registry")
    if not register.registry and len(registries) > 1:
        what = f"does not say where to write: {words(registries)}?"
        yield ConfigProblem(document.place(path[:1], key=True), what, path, "one of them, or a list")
    yield from _unknown(register.registry, registries, path, document)
    for name in register.registry or registries:
        source = config.sources.get(name)
        if isinstance(source, Registry) and source.layout not in WRITABLE[source.type]:
            what = f'registry "{name}" has the layout {source.layout}, which longshore only reads'
            hint = f"expected one of: {', '.join(WRITABLE[source.type])}"
            yield ConfigProblem(document.place(path), what, path, hint)
    for name, process in register.services.items():
        path = ("register", "services", name)
        yield from _unknown(process.registry or (), register.registry or registries, (*path, "registry"), document)
        where = register.registry or registries if process.registry is None else process.registry
        yield from _manner(process, [config.sources[each] for each in where if each in registries], path, document)  # type: ignore[misc]
        yield from _keys(process, path, document)


def _unknown(
    names: tuple[str, ...], registries: tuple[str, ...] | list[str], path: Path, document: Document
) -> Iterator[ConfigProblem]:
    for name in names:
        if name not in registries:
            hint = f"expected one of: {', '.join(registries)}"
            what = f'there is no registry "{name}" among the sources'
            if path[1] == "services":
                what = f'"{name}" is none of the registries that are written to'
            yield ConfigProblem(document.place(path), what, path, hint)


def _manner(
    process: RegisteredProcess, registries: list[Registry], path: Path, document: Document
) -> Iterator[ConfigProblem]:
    """What is said of how an entry is written, where it cannot be written so."""
    types = {each.type for each in registries}
    here: Path = (*path, "path")
    if process.path is not None and any(each.type == "consul" or each.layout not in FOLDERS for each in registries):
        what = f"only entries of etcd and ZooKeeper in the layouts {words(FOLDERS)} may stand in any folder"
        yield ConfigProblem(document.place(here, key=True), what, here)
    elif process.path == "/" and "zookeeper" in types:
        what = "entries cannot stand in ZooKeeper's root"
        yield ConfigProblem(document.place(here), what, here, "choose a folder: /services/web")
    for attribute in ONLY_ZOOKEEPER:
        here = (*path, kebab(attribute))
        if attribute in process.model_fields_set and types and "zookeeper" not in types:
            what = "has a meaning in ZooKeeper only"
            yield ConfigProblem(document.place(here, key=True), what, here)
    here = (*path, "touch")
    if process.touch and not process.node_type.startswith("persistent"):
        what = "is for nodes that stay: this one is kept by its session"
        yield ConfigProblem(document.place(here, key=True), what, here, "add `node-type: persistent`, or remove it")


def _keys(process: RegisteredProcess, path: Path, document: Document) -> Iterator[ConfigProblem]:
    """What a plain process says with the keys of labels."""
    known = [*KEYS, *(kebab(key) for key in RegisteredProcess.model_fields)]
    for key in process.pairs:
        if key not in KEYS:
            place = document.place((*path, key), key=True)
            yield ConfigProblem(place, "unknown key", (*path, key), suggestion(key, known))
    for fault in spec.check({key: value for key, value in process.pairs.items() if key in KEYS})[1]:
        here = (*path, fault.key) if fault.key else path
        yield ConfigProblem(document.place(here), fault.what, here, fault.hint)
