"""The whole configuration of HAProxy as text. Pure: the same layout gives the same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from longshore.core import frontend, quote, raw_lines, template
from longshore.core.capabilities import Capabilities
from longshore.core.frontend import Bind, Frontend
from longshore.core.paths import Paths
from longshore.core.profile import Profile
from longshore.core.profile_lines import userlist_of
from longshore.core.raw import Line, RawBackend, RawProcess
from longshore.core.server import Server
from longshore.core.template import Slots

__all__ = ["Admin", "Backend", "Bind", "Frontend", "Layout", "Paths", "Process", "first_files", "maps_of", "render"]

STATS = "longshore:stats"  # the frontend of HAProxy's own page and exporter
Admin = Literal["ready", "drain", "maint"]


@dataclass(frozen=True, slots=True)
class Process:
    """The `global` section, and what belongs to the process as a whole."""

    paths: Paths
    user: str = ""  # to run as, when started as root
    group: str = ""
    max_connections: int = 4096
    stats: str = ""  # address of HAProxy's own page (/) and exporter (/metrics): "127.0.0.1:1936"; "" is off
    access_log: bool = False  # one line per request to stdout
    threads: int | None = None  # None: HAProxy's choice
    hard_stop_after: float = 3600.0  # seconds that an old process may live after a reload
    raw: RawProcess = field(default_factory=RawProcess)  # the operator's own lines


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend: a service's, or a spare one without servers."""

    name: str  # "s:<service>", "slot:p-1f0c9ab2:001"
    profile: str  # name of its profile
    servers: tuple[tuple[Server, Admin], ...] = ()
    slots: Slots | None = None
    raw: RawBackend | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that the configuration says."""

    process: Process
    frontends: tuple[Frontend, ...] = ()
    profiles: tuple[Profile, ...] = ()
    backends: tuple[Backend, ...] = ()


def maps_of(layout: Layout) -> tuple[str, ...]:
    """Return the files of the maps that the configuration reads: they must exist, empty or not."""
    paths = layout.process.paths
    own = {paths.route_map(""), paths.tcp_map, paths.check_path_map, paths.check_host_map, paths.service_map}
    return tuple(sorted(own | {frontend.map for frontend in layout.frontends if frontend.map}))


def first_files(paths: Paths) -> Mapping[str, str]:
    """Return what must be in files that HAProxy expects before the first reload has written them."""
    return {paths.server_state: "1\n", paths.stats: ""}


Texts = dict[str, tuple[Backend, str]]
"""By name, the text of each backend: the identical `Backend` is not written out again."""


def render(layout: Layout, caps: Capabilities, texts: Texts | None = None) -> str:
    """Return the text of haproxy.cfg. Raises ValueError for a name or value that HAProxy cannot carry.

    `texts` is a memory from one time to the next, as long as the capabilities are the same.
    """
    lines = [
        "# Written by longshore. Changes made here are lost.",
        *_global(layout, caps),
        *frontend.defaults(layout.frontends, layout.process.raw.defaults),
    ]
    for users in sorted({profile.users for profile in layout.profiles if profile.users}):
        lines += ["", *_userlist(users)]
    slots = [backend.slots for backend in layout.backends if backend.slots]
    for resolvers in {template.name_of(each.resolvers): each.resolvers for each in slots}.values():
        lines += ["", *template.section(resolvers)]
    for profile in layout.profiles:
        lines += ["", *_profile(profile)]
    lines += _frontends(layout, caps)
    before = dict(texts or {})
    made = {
        backend.name: known
        if (known := before.get(backend.name)) and known[0] is backend
        else (backend, "\n".join(("", *_backend(backend, caps))))
        for backend in layout.backends
    }
    lines += [text for _, text in made.values()]
    if texts is not None:
        texts.clear()
        texts.update(made)
    lines += _sections(layout.process.raw)
    return "\n".join(lines) + "\n"


def _global(layout: Layout, caps: Capabilities) -> Iterator[str]:
    own = layout.process.raw.globals
    yield "global"
    yield from ("    " + line for line in raw_lines.without_said(_ours(layout, caps), own))
    yield from _lines(own)


def _ours(layout: Layout, caps: Capabilities) -> Iterator[str]:
    process, paths = layout.process, layout.process.paths
    yield f"maxconn {process.max_connections}"
    if process.threads is not None:
        yield f"nbthread {process.threads}"
    for keyword, value in (("user", process.user), ("group", process.group)):
        if value:
            yield f"{keyword} {quote.quote(value)}"
    yield f"hard-stop-after {quote.duration(process.hard_stop_after)}"
    yield f"stats socket {paths.socket} mode 600 level admin expose-fd listeners"
    yield "stats timeout 1h"
    yield "stats maxconn 100"
    yield f"server-state-file {paths.server_state}"
    if caps.stats_file:
        yield f"stats-file {paths.stats}"
    if process.access_log:
        yield "log stdout format raw local0"
    if caps.openssl:
        yield "ssl-default-bind-options ssl-min-ver TLSv1.2"
    if any(profile.hold for profile in layout.profiles):
        if caps.series >= (3, 1):
            yield "tune.lua.bool-sample-conversion normal"  # must be chosen, and before the script is loaded
        yield "tune.lua.session-timeout 24d"  # 2.6 counts the time that is slept
        yield f"lua-load-per-thread {paths.lua}"


def _userlist(users: tuple[str, ...]) -> Iterator[str]:
    yield f"userlist {userlist_of(users)}"
    for user in users:
        name, _, password = user.partition(":")
        yield f"    user {quote.quote(name)} password {quote.quote(password)}"


def _profile(profile: Profile) -> Iterator[str]:
    yield f"defaults {quote.word(profile.name)}"
    yield f"    mode {profile.mode}"
    yield "    load-server-state-from-file global"
    yield from ("    " + quote.line(line) for line in profile.lines)


def _frontends(layout: Layout, caps: Capabilities) -> Iterator[str]:
    binds = [bind for f in layout.frontends for bind in f.binds]
    four = {bind.port for bind in binds if "[" not in bind.address}
    both = frozenset(four & {bind.port for bind in binds if "[" in bind.address})
    secure = [bind.port for f in layout.frontends if f.mode == "http" for bind in f.binds if bind.certificates]
    https_port = f":{secure[0]}" if secure and secure[0] != "443" else ""
    log_service = layout.process.paths.service_map if layout.process.access_log else ""
    for each in layout.frontends:
        yield ""
        yield from frontend.section(each, caps, https_port, both, log_service)
    if layout.process.stats:
        yield ""
        yield from _stats(layout.process.stats, caps)


def _stats(address: str, caps: Capabilities) -> Iterator[str]:
    yield f"frontend {STATS} from {frontend.DEFAULTS['http']}"
    yield f"    bind {quote.quote(address)}"
    if caps.prometheus:
        yield "    http-request use-service prometheus-exporter if { path /metrics }"
    yield "    stats enable"
    yield "    stats uri /"
    yield "    stats refresh 10s"


def _backend(backend: Backend, caps: Capabilities) -> Iterator[str]:
    name = quote.word(backend.name)
    yield f"backend {name} from {quote.word(backend.profile)}"
    if caps.guid:
        yield f"    guid b:{name}"
    yield from ("    " + quote.line(line) for line in (backend.raw.lines if backend.raw else ()))
    for server, admin in backend.servers:
        yield f"    server {quote.word(server.name)} {_definition(server, admin)}"
    if backend.slots:
        yield "    " + quote.line(backend.slots.line)


def _sections(raw: RawProcess) -> Iterator[str]:
    """The operator's own sections, behind the defaults they share."""
    if raw.sections:
        yield from ("", "defaults", *_lines(raw.defaults))
    for section in raw.sections:
        yield from ("", quote.line(section.title.text), *_lines(section.lines))


def _lines(lines: tuple[Line, ...]) -> Iterator[str]:
    return ("    " + quote.line(line.text) for line in lines)


def _definition(server: Server, admin: Admin) -> str:
    """The server's words. `drain` has no word of its own: weight 0 does the same until the state file is read."""
    if admin == "drain":
        return replace(server, weight=0).definition
    return server.definition + (" disabled" if admin == "maint" else "")
