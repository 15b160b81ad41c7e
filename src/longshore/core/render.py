"""The whole configuration of HAProxy as text. Pure: the same layout gives the same text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from longshore.core.capabilities import Capabilities
from longshore.core.frontend import Bind, Frontend
from longshore.core.paths import Paths
from longshore.core.profile import Profile
from longshore.core.server import Server

__all__ = ["Admin", "Backend", "Bind", "Frontend", "Layout", "Paths", "Process", "maps_of", "render"]

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
    extra: tuple[str, ...] = ()  # further lines of the global section, the operator's own


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend: a service's, or a spare one without servers."""

    name: str  # "s:<service>", "slot:p-1f0c9ab2:001"
    profile: str  # name of its profile
    servers: tuple[tuple[Server, Admin], ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that the configuration says."""

    process: Process
    frontends: tuple[Frontend, ...] = ()
    profiles: tuple[Profile, ...] = ()
    backends: tuple[Backend, ...] = ()


def maps_of(layout: Layout) -> tuple[str, ...]:
    """Return the names of the maps that the configuration reads: their files must exist, empty or not."""
    names = {frontend.map for frontend in layout.frontends}
    return tuple(sorted(names | {"check-host", "check-path", "service-name"}))


def render(layout: Layout, caps: Capabilities) -> str:
    """Return the text of haproxy.cfg. Raises ValueError for a name or value that HAProxy cannot carry."""
    raise NotImplementedError
