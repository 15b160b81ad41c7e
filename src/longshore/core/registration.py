"""What the registrar writes for each endpoint of this host, where it checks it, and what becomes of it when it stops.

`registration_of` makes them of one container, `registrations` keeps those of all containers up to date.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from longshore.core.address import Here
from longshore.core.entries import Entry
from longshore.core.model import EndpointState
from longshore.core.rate_limit import RateLimit
from longshore.core.register_check import RegisterCheck

Metadata = Literal["longshore", "registrator", "docker-register"]
"""Whose words of a container count: our labels, registrator's SERVICE_…, or none at all, as with docker-register."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, where a check must say it."""

    user: str
    password: str = field(repr=False)


GUEST = Login("guest", "guest")
"""RabbitMQ's own, which it takes from its own host only."""


@dataclass(frozen=True, slots=True)
class LocalCheck:
    """How and where an endpoint is checked from this host. Durations are seconds."""

    kind: RegisterCheck
    address: str
    port: int
    host: str = ""  # Host header
    status: str = "200-399"
    expect: str = ""
    tls: Literal["", "verify", "insecure"] = ""
    proxied: bool = False  # through the engine's port forwarder, which accepts what nobody serves yet
    container: str = ""  # the full id, for a command in it
    health: str = ""  # what its HEALTHCHECK says
    interval: float = 2.0
    timeout: float = 1.0
    rise: int = 1
    fall: int = 2
    headers: tuple[tuple[str, str], ...] = ()  # of an HTTP request, beside our own
    login: Login = GUEST
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"  # of an HTTP request

    @property
    def by_engine(self) -> bool:
        """Whether the engine checks, and tells when something changes."""
        return self.kind.kind == "docker"

    def __str__(self) -> str:
        return {"docker": "HEALTHCHECK", "none": "no check"}.get(self.kind.kind, str(self.kind))


@dataclass(frozen=True, slots=True)
class Registration:
    """One endpoint of this host. Only a READY one may stand in a registry, and only while its check says so."""

    entry: Entry
    check: LocalCheck
    state: EndpointState = EndpointState.READY
    reason: str = ""  # why it is not ready
    place: str = ""  # why at this address
    since: float = 0.0  # Unix seconds of the event that led to this state; 0 if unknown
    container: str = ""  # the full id; "" for a plain process
    stop_signal: str = "SIGTERM"
    stop_timeout: float = 10.0  # seconds from the stop signal until the engine kills
    delay: float = 0.0  # seconds that its end is put off after its entry is withdrawn
    more: tuple[LocalCheck, ...] = ()  # further checks: it is fit while all pass
    registries: tuple[str, ...] | None = None  # where it is written; None: in all
    limit: RateLimit | None = None  # how often it may come and go there

    @property
    def key(self) -> str:
        """What identifies it, as `Holder.want` has it: "<service>/<id>"."""
        return f"{self.entry.service}/{self.entry.id}"

    @property
    def checks(self) -> tuple[LocalCheck, ...]:
        """All its checks."""
        return (self.check, *self.more)

    @property
    def asked(self) -> str:
        """Its checks as people read them."""
        return ", ".join(map(str, self.checks))


@dataclass(frozen=True, slots=True)
class Options:
    """How one registrar makes registrations of containers. Durations are seconds."""

    owner: str  # of every entry
    name: str  # of this host
    address: str = ""  # where other hosts reach this one, an IP or a name; "" while that is not known
    zone: str = ""
    expose: Literal["labelled", "all"] = "labelled"
    group_by: str = "compose"
    networks: tuple[str, ...] = ()  # names or ids of those whose addresses other hosts can reach
    tags: tuple[str, ...] = ()  # words, or templates that give some (`go_template`)
    interval: float = 2.0
    timeout: float = 1.0
    rise: int = 1
    fall: int = 2
    delay: float = 0.0
    metadata: Metadata = "longshore"
    fixed: bool = False  # whether the configuration says the address: it counts for every published port then
    address_label: str = ""  # the label of containers that tells their address
    here: Here = field(default_factory=Here)
