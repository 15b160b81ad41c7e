"""The operator's own lines, checked as a whole and taken into the core with the places where they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from longshore.config.document import Document
from longshore.config.problems import ConfigProblem, Path
from longshore.config.raw import OURS, ServiceRaw, backend_name
from longshore.config.schema import Config
from longshore.core.conflicts import address_of
from longshore.core.raw import Line, Raw, RawProcess, RawSaid, RawSection
from longshore.core.raw_addresses import listens_of
from longshore.core.spec import Spec
from longshore.core.values import RefusedError

_OTHER = "give one of them another address"
_PROXIES = ("listen", "frontend", "backend")


def own_lines(config: Config, specs: Mapping[str, Spec], document: Document) -> RawSaid:
    """All lines of the operator's own."""
    raw, path = config.haproxy.raw, ("haproxy", "raw")
    sections = []
    for title, lines in raw.sections.items():
        here = (*path, "sections", title)
        place = str(document.place(here, key=True))
        sections.append(RawSection(Line(title, place), _lines(lines, here, document)))
    process = RawProcess(
        _lines(raw.global_, (*path, "global"), document),
        _lines(raw.defaults, (*path, "defaults"), document),
        tuple(sections),
    )
    services = {
        name: _service(name, service.raw, specs[name], document)
        for name, service in config.services.items()
        if service.raw is not None and name in specs
    }
    return RawSaid(process, services)


def check_own_lines(config: Config, specs: Mapping[str, Spec], document: Document) -> list[ConfigProblem]:
    """What is wrong with lines that are all right by themselves: names and addresses used twice, and frontends that
    nothing makes."""
    return [
        *_names(config, document),
        *_frontends(config, specs, document),
        *_addresses(config, specs, document),
    ]


def _lines(texts: tuple[str, ...], path: Path, document: Document) -> tuple[Line, ...]:
    return tuple(Line(text, str(document.place((*path, index)))) for index, text in enumerate(texts))


def _service(name: str, raw: ServiceRaw, spec: Spec, document: Document) -> Raw:
    path = ("services", name, "raw")
    bind, server = (
        Line(text, str(document.place((*path, key)))) if text else Line()
        for key, text in (("bind", raw.bind), ("server", raw.server))
    )
    return Raw(
        raw.name or name,
        _lines(raw.frontend, (*path, "frontend"), document),
        _lines(raw.backend, (*path, "backend"), document),
        bind,
        server,
        raw.cookie or "",
        routed=_routed(spec),
        mode=raw.mode or "http",
        place=str(document.place(path, key=True)),
    )


def _routed(spec: Spec) -> bool:
    return bool(spec.tcp or spec.listen or spec.host or spec.path)


def _names(config: Config, document: Document) -> Iterator[ConfigProblem]:
    """A name is one proxy's: HAProxy from 3.4 refuses even a frontend and a backend of one name."""
    taken: dict[str, Path] = {name: ("frontends", name) for name in config.frontends}
    if config.haproxy.stats:
        taken.setdefault("stats", ("haproxy", "stats"))
    for title in config.haproxy.raw.sections:
        kind, *words = title.split()
        if kind in _PROXIES and words:
            path: Path = ("haproxy", "raw", "sections", title)
            yield from _taken(words[0], path, taken, document)
    for name, service in config.services.items():
        if service.raw is None:
            continue
        path = ("services", name, "raw", "name") if service.raw.name else ("services", name, "raw")
        if service.raw.name is None:
            try:
                backend_name(name)
            except RefusedError:
                what = f"a backend cannot be named {name}: names that start with {', '.join(OURS)} are longshore's"
                yield ConfigProblem(document.place(path, key=True), what, path, "say another `name`")
        yield from _taken(service.raw.name or name, path, taken, document)


def _taken(name: str, path: Path, taken: dict[str, Path], document: Document) -> Iterator[ConfigProblem]:
    if (other := taken.setdefault(name, path)) != path:
        place = document.place(other, key=True)
        what = f"the name {name} is that of another frontend or backend ({place})"
        yield ConfigProblem(document.place(path, key=path[-1] != "name"), what, path, "choose another name")


def _frontends(config: Config, specs: Mapping[str, Spec], document: Document) -> Iterator[ConfigProblem]:
    """A frontend of its own takes every request of its address; without an address there is none."""
    for name, service in config.services.items():
        raw, spec = service.raw, specs.get(name)
        if raw is None or spec is None:
            continue
        if raw.mode and _routed(spec):
            path: Path = ("services", name, "raw", "mode")
            hint = "`tcp` says it, or `listen`, `host` and `path`"
            yield ConfigProblem(document.place(path, key=True), "is said by how the service is reached", path, hint)
        if not (spec.listen or spec.tcp):
            for key in ("frontend", "bind"):
                if getattr(raw, key):
                    path = ("services", name, "raw", key)
                    hint = "say `listen` (HTTP) or `tcp` in the service"
                    yield ConfigProblem(document.place(path, key=True), "has no frontend of its own", path, hint)
        for key in ("host", "path", "strip-path"):
            if spec.listen and key in spec.given:
                path = ("services", name, key)
                what = "has no meaning beside `listen` and `raw`: the frontend takes every request of its address"
                hint = "write conditions into raw.frontend, or leave `listen` out"
                yield ConfigProblem(document.place(path, key=True), what, path, hint)


def _addresses(config: Config, specs: Mapping[str, Spec], document: Document) -> Iterator[ConfigProblem]:
    """An address of a service with lines of its own is nobody else's."""
    taken: dict[str, tuple[str, bool]] = {}
    for where, address in _ours(config):
        taken[address_of(address)] = where, False  # a plain service that asks for it is told so in `status`
    for title, lines in config.haproxy.raw.sections.items():
        for index, address in listens_of(lines):
            where, _ = taken.setdefault(address_of(address), (f"section {title}", True))
            if where != f"section {title}":
                path: Path = ("haproxy", "raw", "sections", title, index)
                yield ConfigProblem(document.place(path), f"{address} is taken already by {where}", path, _OTHER)
    for name, service in config.services.items():
        spec = specs.get(name)
        for key in ("listen", "tcp") if spec else ():
            for address in getattr(spec, key):
                who = f"service {name}"
                other, raw = taken.setdefault(address_of(address), (who, service.raw is not None))
                if other != who and (raw or service.raw is not None):
                    path = ("services", name, key)
                    what = f"{address} is the address of {other}, and one of them has it for itself"
                    yield ConfigProblem(document.place(path), what, path, _OTHER)


def _ours(config: Config) -> Iterator[tuple[str, str]]:
    for name, frontend in config.frontends.items():
        yield from ((f"frontend {name}", address) for address in frontend.bind)
    for what, address in (("admin", config.admin.bind), ("haproxy.stats", config.haproxy.stats)):
        if address:
            yield what, address
