"""What only shows when the whole configuration is seen: addresses used twice, services of unknown sources."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.config.dns import DnsSource
from longshore.config.document import Document
from longshore.config.fields import split_address
from longshore.config.marathon import MarathonSource
from longshore.config.problems import ConfigProblem, Path, dotted, suggestion
from longshore.config.register_checks import check_register
from longshore.config.registries import REGISTRIES, EtcdSource
from longshore.config.schema import Config
from longshore.config.section import kebab
from longshore.config.services import From, ServiceConfig

CONTAINERS = ("docker", "swarm", "agents")  # types of sources that have containers
MEANT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CONTAINERS, ("image", "label", "service", "port")),
    **dict.fromkeys(REGISTRIES, ("path", "label", "service", "tag", "port", "nameserver")),
    "dns": ("name", "type", "port"),
    "marathon": ("app", "port_index"),
    "ec2": ("label", "port"),
}
"""What `from` can ask of a source, by its type."""


def check(config: Config, document: Document) -> list[ConfigProblem]:
    """Everything that is wrong with a configuration whose single values are all right."""
    return [
        *_addresses(config, document),
        *_sources(config, document),
        *_logins(config, document),
        *check_register(config, document),
    ]


def _addresses(config: Config, document: Document) -> Iterator[ConfigProblem]:
    taken: list[tuple[str, Path]] = []
    for address, path in sorted(_binds(config), key=lambda bind: document.written(bind[1])):  # defaults first
        other = next((earlier for earlier, _ in taken if overlap(earlier, address)), None)
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


def overlap(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened to. Raises RefusedError for what is none."""
    (host, port), (other_host, other_port) = split_address(one), split_address(other)
    same_family = (":" in host) == (":" in other_host)
    return port == other_port and same_family and (host == other_host or bool({"", "::"} & {host, other_host}))


def _sources(config: Config, document: Document) -> Iterator[ConfigProblem]:
    types = {name: source.type for name, source in config.sources.items()}
    usable = [name for name, kind in types.items() if kind in MEANT]
    for name, service in config.services.items():
        for index, picked in enumerate(service.origins):
            path: Path = ("services", name, "from")
            if isinstance(service.from_, tuple):
                path = (*path, index)
            if picked.source in usable:
                yield from _conditions(path, picked, types[picked.source], document)
                continue
            path = (*path, "source")
            if picked.source in types:
                what = f'source "{picked.source}" has no containers, entries or names to pick from'
                hint = f"expected one of: {', '.join(usable)}" if usable else "expected a source of type docker"
            else:
                what, hint = f'there is no source "{picked.source}"', suggestion(picked.source, config.sources)
            yield ConfigProblem(document.place(path), what, path, hint)
        if service.composed:
            yield from _known_endpoints(name, service, config, document)


def _logins(config: Config, document: Document) -> Iterator[ConfigProblem]:
    """Half a login is none."""
    for name, source in config.sources.items():
        if isinstance(source, EtcdSource | MarathonSource) and bool(source.username) != bool(source.password_file):
            said, missing = ("username", "password-file") if source.username else ("password-file", "username")
            path = ("sources", name, said)
            yield ConfigProblem(document.place(path, key=True), f"needs {missing} beside it", path, f"add {missing}")


def _known_endpoints(name: str, service: ServiceConfig, config: Config, document: Document) -> Iterator[ConfigProblem]:
    """Where several items are weighed, longshore itself must know what each has found."""
    for picked in service.origins:
        source = config.sources.get(picked.source)
        if isinstance(source, DnsSource) and source.resolve == "haproxy":
            path: Path = ("services", name, "from")
            what = f"source {picked.source} lets HAProxy look names up, so that longshore does not know what it finds"
            hint = f"say `resolve: longshore` in sources.{picked.source}, or only one `from` and no fallback"
            yield ConfigProblem(document.place(path, key=True), what, path, hint)


def _conditions(path: Path, picked: From, kind: str, document: Document) -> Iterator[ConfigProblem]:
    """Conditions that nothing in such a source can fulfil."""
    for field in From.model_fields:
        if field in picked.model_fields_set and field not in ("source", "as_", *MEANT[kind]):
            here = (*path, kebab(field))
            what = f"has no meaning for a source of type {kind}"
            yield ConfigProblem(document.place(here, key=True), what, here)
    if kind == "dns":
        yield from _name(path, picked, document)
    elif kind == "marathon" and picked.app is None:
        hint = "write `app: /prod/web`"
        yield ConfigProblem(document.place(path, key=True), "says no app", path, hint)
    elif kind == "ec2" and picked.port is None:
        hint = "add `port`: where does it listen on these machines?"
        yield ConfigProblem(document.place(path, key=True), "says no port, and machines have none", path, hint)
    elif picked.path is not None and kind == "consul":
        what = "Consul's services stand beneath no path"
        yield ConfigProblem(document.place((*path, "path"), key=True), what, (*path, "path"), "use service or tag")


def _name(path: Path, picked: From, document: Document) -> Iterator[ConfigProblem]:
    """What a name in DNS needs."""
    if picked.name is None:
        hint = "write `name: tasks.web`, with `port`, or with `type: srv`"
        yield ConfigProblem(document.place(path, key=True), "says no name to look up", path, hint)
    elif picked.type == "a" and picked.port is None:
        hint = "add `port`, or `type: srv` if the name has SRV records"
        yield ConfigProblem(document.place(path, key=True), "says no port, and addresses have none", path, hint)
    elif picked.type == "srv" and picked.port is not None:
        here = (*path, "port")
        yield ConfigProblem(document.place(here, key=True), "SRV records say the port themselves", here, "remove it")
