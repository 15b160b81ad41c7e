"""What only shows when the whole configuration is seen: addresses used twice, services of unknown sources."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.config.document import Document
from longshore.config.fields import split_address
from longshore.config.problems import ConfigProblem, Path, dotted, suggestion
from longshore.config.schema import Config

CONTAINERS = ("docker",)  # types of sources whose services can be picked by image, label or service


def check(config: Config, document: Document) -> list[ConfigProblem]:
    """Everything that is wrong with a configuration whose single values are all right."""
    return [*_addresses(config, document), *_sources(config, document)]


def _addresses(config: Config, document: Document) -> Iterator[ConfigProblem]:
    taken: list[tuple[str, Path]] = []
    for address, path in sorted(_binds(config), key=lambda bind: document.written(bind[1])):  # defaults first
        other = next((earlier for earlier, _ in taken if _overlap(earlier, address)), None)
        if other is not None:
            before = dict(taken)[other]
            where = document.place(before) if document.written(before) else "its default"
            what = f"{address} is taken already by {dotted(before)} ({where})"
            yield ConfigProblem(document.place(path), what, path, "each address can listen for one thing")
        taken.append((address, path))


def _binds(config: Config) -> Iterator[tuple[str, Path]]:
    for name, frontend in config.frontends.items():
        for index, address in enumerate(frontend.bind):
            yield address, ("frontends", name, "bind", index)
    for address, path in ((config.admin.bind, ("admin", "bind")), (config.haproxy.stats, ("haproxy", "stats"))):
        if address:
            yield address, path


def _overlap(one: str, other: str) -> bool:
    (host, port), (other_host, other_port) = split_address(one), split_address(other)
    same_family = (":" in host) == (":" in other_host)
    return port == other_port and same_family and (host == other_host or bool({"", "::"} & {host, other_host}))


def _sources(config: Config, document: Document) -> Iterator[ConfigProblem]:
    usable = [name for name, source in config.sources.items() if source.type in CONTAINERS]
    for name, service in config.services.items():
        if service.from_ is None or service.from_.source in usable:
            continue
        path = ("services", name, "from", "source")
        source = service.from_.source
        if source in config.sources:
            what = f'source "{source}" has no containers to pick from'
            hint = f"expected one of: {', '.join(usable)}" if usable else "expected a source of type docker"
        else:
            what, hint = f'there is no source "{source}"', suggestion(source, config.sources)
        yield ConfigProblem(document.place(path), what, path, hint)
