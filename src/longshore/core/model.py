"""The nouns: endpoint, service, route, policy, snapshot, problem. Immutable values, compared by content.

Every other module takes these in or gives these out. Sources make them, `core.merge` unites them, `core.wanted` turns
them into what HAProxy should run. They hold no behaviour but what follows from their own fields.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Literal

from longshore.core.raw import Raw

Mode = Literal["http", "tcp"]
CheckKind = Literal["none", "tcp", "http"]
Role = Literal["", "preferred", "leader", "backup", "standby"]
NEVER = 1_000_000  # the turn of an endpoint that does not count now: its turn does not come


class EndpointState(enum.StrEnum):
    """What the source knows of an endpoint. Only READY endpoints may get traffic."""

    READY = "ready"
    WAITING = "waiting"  # runs, but must not get traffic: HEALTHCHECK not healthy, paused, restarting
    STOPPING = "stopping"  # about to end: the engine sent its stop signal


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One reachable copy of a service. HAProxy calls it a server.

    `id` identifies it for as long as it exists: "<first 12 of the container id>:<container port>" for containers,
    "<address>:<port>" for fixed endpoints. A re-used address therefore never takes over another endpoint's place.
    """

    id: str
    name: str  # for people: the container's name, or the host as it was written
    address: str  # an IPv4 or IPv6 literal, without brackets
    port: int  # 1..65535, where the balancer connects to
    weight: int = 100  # 0..256, relative to the others; 0 gets no new requests
    backup: bool = False  # gets traffic only when no other endpoint is up
    state: EndpointState = EndpointState.READY
    reason: str = ""  # why this address and this state, for `explain`: "network shop_default, shared with the balancer"
    since: float = 0.0  # Unix seconds when the event that led to this state happened; 0 if unknown
    host: str = ""  # name of the machine it runs on, when the source knows it
    zone: str = ""  # where that machine is, as its registrar says: a data centre, a rack
    role: Role = ""  # what it is to its service with `prefer`, `only`, `zone-weights` or turns: `core.prefer` says it
    rank: int = 0  # its number in an election (`only: leader`): the smallest leads; 0 if it has none
    proxied: bool = False  # reached through a port forwarder, which accepts connections that nobody serves yet
    turn: int = 0  # serves only while no endpoint of a lower turn but 0 is there: see `Service.ordered`
    origin: str = ""  # for people, what gave it that turn: "from[1]", "fallback"


@dataclass(frozen=True, slots=True)
class Route:
    """What brings a request to a service.

    `listen` is the HTTP address of its own (":8080", "127.0.0.1:8080", "[::1]:8080") or, with mode tcp, the TCP
    address; "" means the HTTP(S) frontends of the configuration. `host` is lower case, without port: "a.example.com",
    "*.example.com" (any depth below) or "*" (every host: the default service). `path` starts with "/"; `exact` says
    whether only this path matches, or everything below it at a segment boundary ("/api" matches "/api/x", not "/apix").
    """

    host: str = "*"
    path: str = "/"
    exact: bool = False
    listen: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """How HAProxy checks an endpoint. The first check, before any traffic, is longshore's own and of the same kind."""

    kind: CheckKind = "tcp"
    path: str = "/"
    host: str = ""  # Host header of an HTTP check; "" means none is needed
    status: str = "200-399"  # "200", "200-299", "200,204,301"
    expect: str = ""  # text the body must contain; "" means any
    interval: float = 10.0  # seconds between checks once it has succeeded
    timeout: float = 2.0  # seconds for one check
    rise: int = 1  # successes in a row until it is up again
    fall: int = 2  # failures in a row until it is down
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"


@dataclass(frozen=True, slots=True)
class ZoneWeight:
    """How much an endpoint of a zone counts: per cent of its own weight."""

    zone: str
    percent: int  # 0..100; 0: only while no other endpoint is up


@dataclass(frozen=True, slots=True)
class Policy:
    """How a service is served. Durations are seconds; 0 means off."""

    balance: str = "roundrobin"  # as in HAProxy: "leastconn", "uri", "hdr(X-User)", "url_param(id)", "hash path", …
    check: Check = field(default_factory=Check)
    sticky: str = ""  # name of the cookie that binds a client to an endpoint; "" is off
    slow_start: float = 0.0  # ramp-up time of an endpoint that becomes up again
    max_connections: int = 0  # concurrent requests per endpoint; the rest queue; 0 is unlimited
    timeout: float = 60.0  # `timeout server`: silence of an endpoint in the middle of a response
    connect_timeout: float = 0.5  # per attempt; short, because a vanished address gives no answer at all
    queue_timeout: float = 30.0
    tunnel_timeout: float = 3600.0  # websockets and other upgraded connections, and idle TCP
    retries: int = 20  # attempts after the first, only where nothing is sent twice that must not be
    hold: float = 0.0  # wait this long for an endpoint while none is up
    drain: float = 0.0  # seconds an operator's drain waits for running requests before it becomes maint; 0: for ever
    strip_path: bool = False  # remove the matched path prefix before the request goes on
    tls: bool = False  # answer only on TLS frontends (404 on the others)
    redirect_https: bool = False  # plain HTTP frontends answer 308 to https
    hsts: int = 0  # max-age of Strict-Transport-Security in seconds, sent over TLS; 0 is off
    auth: tuple[str, ...] = ()  # "user:crypt hash" each, for HTTP Basic
    server_tls: Literal["", "verify", "insecure"] = ""  # speak TLS to the endpoints
    prefer: Literal["", "host", "zone"] = ""  # endpoints of the balancer's own host or zone first, the others as backup
    only: Literal["", "leader"] = ""  # traffic for one endpoint at a time: that with the smallest id
    zone_weights: tuple[ZoneWeight, ...] = ()  # zones that are not among them count in full


@dataclass(frozen=True, slots=True)
class Resolvers:
    """How HAProxy looks names up by itself. Durations are seconds."""

    nameservers: tuple[str, ...] = ()  # "127.0.0.11:53"; () are those of /etc/resolv.conf
    prefer: Literal["ipv4", "ipv6"] = "ipv4"
    refresh: float = 1.0  # between two questions
    timeout: float = 1.0  # for one answer
    hold: float = 30.0  # how long a name that no longer exists (NXDOMAIN) keeps its addresses


@dataclass(frozen=True, slots=True)
class Template:
    """Endpoints that HAProxy finds itself, by a name in DNS. What is said here is fixed in its configuration."""

    name: str  # "tasks.web"; with port 0 a name of SRV records
    port: int
    slots: int = 20  # how many addresses there is room for
    weight: int = 100
    backup: bool = False
    resolvers: Resolvers = field(default_factory=Resolvers)


@dataclass(frozen=True, slots=True)
class Service:
    """Endpoints that serve the same thing, what brings requests there, how they are served. One HAProxy backend.

    A source re-emits the identical object for what did not change, so that later stages can compare by identity first.
    """

    name: str  # [A-Za-z0-9_.-]{1,100}
    mode: Mode = "http"
    routes: tuple[Route, ...] = ()
    policy: Policy = field(default_factory=Policy)
    endpoints: tuple[Endpoint, ...] = ()
    sources: tuple[str, ...] = ()  # names of the sources it was found in
    template: Template | None = None  # endpoints beside those above, which only HAProxy knows
    ordered: bool = False  # its endpoints have turns: `core.origins` says which, `core.prefer` whose it is
    raw: Raw | None = None  # the operator's own lines for it, by `core.merge`: no source gives any


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person must know and can mend. Said once, listed in `status` while it lasts, harms nothing else."""

    where: str  # "container shop-web-1", "services.d/vm.yaml:3:7", "source docker"
    what: str  # 'label longshore.wieght: unknown key; did you mean "weight"?'
    hint: str = ""  # what to do next
    service: str = ""  # the service it touches, if known


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one source knows at one moment, complete. `stale` says it is not renewed: unknown is never empty."""

    source: str
    services: tuple[Service, ...] = ()
    problems: tuple[Problem, ...] = ()
    stale: str = ""  # "" while it is current; else why it is not: "engine does not answer since 12:03:04"
