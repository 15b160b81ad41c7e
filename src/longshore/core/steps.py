"""What can be done to a running HAProxy, as data. Every step says why.

A plan is a tuple of steps, ordered so that stopping after any of them leaves a working balancer. `haproxy.apply` turns
steps into commands of the runtime socket, `core.running` tells what each of them changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from longshore.core.render import Admin
from longshore.core.server import Server


@dataclass(frozen=True, slots=True)
class AddBackend:
    """Make an empty backend from a profile (HAProxy 3.4 and later); nothing can reach it until it is published."""

    backend: str
    profile: str
    why: str


@dataclass(frozen=True, slots=True)
class PublishBackend:
    """Let routes reach a backend made by `AddBackend`."""

    backend: str
    why: str


@dataclass(frozen=True, slots=True)
class AddServer:
    """Add a server and put it to work in the given admin state."""

    backend: str
    server: Server
    admin: Admin
    why: str


@dataclass(frozen=True, slots=True)
class SetAdmin:
    """Change the admin state of a server: `ready`, `drain` (no new clients, sticky ones still come), `maint`."""

    backend: str
    server: str
    admin: Admin
    why: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Send a server no new request; what runs on it finishes. It is deleted later."""

    backend: str
    server: str
    why: str


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Change the weight of a server, 0..256."""

    backend: str
    server: str
    weight: int
    why: str


@dataclass(frozen=True, slots=True)
class PutMap:
    """Set the value of a key in a map; `new` says that the key is not there yet (HAProxy has two commands for it)."""

    map: str
    key: str
    value: str
    new: bool
    why: str


@dataclass(frozen=True, slots=True)
class DropMap:
    """Remove a key from a map."""

    map: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class DelServer:
    """Delete a server that is in maint. HAProxy refuses while it has a connection: done later, and again."""

    backend: str
    server: str
    why: str


@dataclass(frozen=True, slots=True)
class DelBackend:
    """Unpublish and delete an empty backend made by `AddBackend`. Done later, and again, like `DelServer`."""

    backend: str
    why: str


@dataclass(frozen=True, slots=True)
class Place:
    """Note that a backend serves a service from now on. HAProxy has nothing to do."""

    backend: str
    service: str
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give a backend slot back: nothing leads to it and nothing is in it. HAProxy has nothing to do."""

    backend: str
    why: str


BackendStep = (
    AddBackend | PublishBackend | Place | AddServer | SetAdmin | Retire | SetWeight | DelServer | DelBackend | Release
)
RuntimeStep = BackendStep | PutMap | DropMap
