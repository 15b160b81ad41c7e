"""What the running agent tells about itself, and what people may ask of it.

`status`, the HTTP API, the metrics and the commands read the frozen records here and nothing else of the agent. `Agent`
is the whole list of what can be asked; `agent.balancer` answers it. Times are Unix seconds, 0.0 where unknown;
durations are seconds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from longshore.core.explain import Explanation
from longshore.core.model import Mode, Problem, Role, Route

AdminState = Literal["ready", "drain", "maint"]
ShownState = Literal["up", "down", "waiting", "checking", "stopping", "drain", "maint", "off", "standby"]
SourceState = Literal["current", "stale", "starting"]
PARTLY = "ready, but not every service of the configuration is served"
"""What `/readyz` says instead of "ready". Still with 200: a restart mends nothing, and takes the others along."""


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One endpoint as a person sees it: what source, HAProxy and operator say of it, in one word.

    up: gets traffic · down: HAProxy's check fails · waiting: the source says not yet (HEALTHCHECK, paused) ·
    checking: its first check has not succeeded yet · stopping: the engine sent its stop signal ·
    drain, maint: an operator took it out · off: weight 0, gets no new requests · standby: it is not its turn, and
    HAProxy does not know it (`only: leader`, `from-first`, `fallback`).
    """

    id: str
    name: str
    address: str
    port: int
    state: ShownState
    reason: str = ""  # why it is in this state, and why at this address
    since: float = 0.0  # when the present state began
    routed_since: float = 0.0  # when HAProxy first could send it traffic; 0.0: not now
    weight: int = 100  # the one in force
    weight_set: bool = False  # an operator set it by `longshore weight`
    sessions: int | None = None  # requests or connections it serves now; None: HAProxy was not asked yet
    backup: bool = False
    host: str = ""
    zone: str = ""
    role: Role = ""  # with `prefer` and `only`: what it is to its service


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service with all its endpoints, those that get no traffic included."""

    name: str
    mode: Mode
    routes: tuple[Route, ...] = ()
    backend: str = ""  # its name in HAProxy: "s:shop-web", or a slot's
    balance: str = "roundrobin"
    sources: tuple[str, ...] = ()
    endpoints: tuple[EndpointStatus, ...] = ()

    @property
    def up(self) -> int:
        """How many endpoints get traffic."""
        return sum(endpoint.state == "up" for endpoint in self.endpoints)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source: whether what it last said can be trusted to be current."""

    name: str
    type: str  # docker, file, …
    state: SourceState
    reason: str = ""  # why it is stale
    since: float = 0.0
    services: int = 0
    endpoints: int = 0
    kept: int = 0  # endpoints that vanished from a registry together and are served on: the source is frozen


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """An address that another HAProxy listens on as well. See `agent.sharing` for the states."""

    address: str
    by: str  # "haproxy (pid 7)"
    state: Literal["waiting", "beside", "taken over"]
    until: str = ""  # what it waits for, where it is not simply that all is ready


@dataclass(frozen=True, slots=True)
class HaproxyStatus:
    """The HAProxy that serves for us."""

    version: str = ""
    pid: int = 0  # of the present worker; 0 while there is none
    mode: Literal["managed", "attached"] = "managed"
    state: Literal["running", "starting", "stopped"] = "starting"
    started: float = 0.0  # when the first worker started, reloads do not count
    reloads: int = 0
    last_reload: float = 0.0
    last_reload_reason: str = ""
    addresses: tuple[str, ...] = ()  # where it listens
    shared: tuple[SharedAddress, ...] = ()  # with another HAProxy


@dataclass(frozen=True, slots=True)
class PlanCounters:
    """How much the agent has done since it started."""

    plans: int = 0  # plans applied that had at least one step
    steps: int = 0
    failed: int = 0  # steps that HAProxy refused
    drift: int = 0  # differences found in HAProxy that we had not made


LeaseShownState = Literal["registering", "held", "withdrawing", "lost", "refused", "out"]


@dataclass(frozen=True, slots=True)
class LeaseShown:
    """One endpoint of this host in one registry, or `out` of all of them.

    registering: wanted, not there yet · held: it stands there, and is renewed · withdrawing: not wanted, still there ·
    lost: the registry is away, the entry may be gone · refused: the registry does not take it ·
    out: it is not to stand there now; `check` or `error` says why.
    """

    service: str
    id: str
    address: str
    port: int
    registry: str = ""  # name of the source; "" while it is out
    key: str = ""  # where it is written: key, path or service ID
    state: LeaseShownState = "out"
    since: float = 0.0  # when this state began
    ttl: float = 0.0  # seconds that it lives on without us
    owner: str = ""
    check: str = ""  # what was checked and came out: "tcp: ok", "/health: answers 503"
    error: str = ""  # what keeps it from being held


RegistryState = Literal["connecting", "current", "away", "refused"]


@dataclass(frozen=True, slots=True)
class RegistryStatus:
    """One registry that this host is registered in."""

    name: str
    type: str  # etcd, zookeeper, consul
    state: RegistryState = "current"
    reason: str = ""  # why it is not current


@dataclass(frozen=True, slots=True)
class RegistrarStatus:
    """The registrar of this host."""

    owner: str
    name: str  # of this host
    address: str  # where other hosts reach it; "" while that is not known
    registries: tuple[RegistryStatus, ...] = ()
    leases: tuple[LeaseShown, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """All that `longshore status` shows. `seq` grows with every change of it: see `Agent.next_change`.

    A balancer has a `haproxy`, a registrar of its own none; `registrar` is there when this process registers.
    """

    version: str  # of longshore
    mode: Literal["managed", "attached"] = "managed"
    started: float = 0.0
    ready: bool = False  # every source has spoken (or its saved state has) and HAProxy runs what they said
    unserved: tuple[str, ...] = ()  # services of the configuration that no version of is served: `problems` says why
    waits_for: tuple[str, ...] = ()  # why it is not ready yet
    haproxy: HaproxyStatus | None = field(default_factory=HaproxyStatus)
    registrar: RegistrarStatus | None = None
    sources: tuple[SourceStatus, ...] = ()
    services: tuple[ServiceStatus, ...] = ()
    problems: tuple[Problem, ...] = ()
    plans: PlanCounters = field(default_factory=PlanCounters)
    pending: tuple[str, ...] = ()  # what is planned or under way and not done yet, one sentence each
    seq: int = 0

    def service(self, name: str) -> ServiceStatus | None:
        """Return the service of this name, if there is one."""
        return next((service for service in self.services if service.name == name), None)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal: what happened and why. `seq` counts from 1 and never repeats while the agent runs."""

    seq: int
    at: float
    what: str  # "endpoint shop-web-2 up"
    why: str = ""  # "container started; first check answered after 0.012 s"
    service: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """What an operator's request did."""

    service: str
    endpoints: tuple[str, ...]  # names of the endpoints it touched
    what: str  # one sentence for people


@dataclass(frozen=True, slots=True)
class Thawed:
    """What thawing a frozen source did."""

    source: str
    endpoints: int  # that are served no more
    what: str  # one sentence for people


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between what HAProxy ran and what it should run, that nobody of us had made."""

    what: str  # "server web-1.8d2e of s:shop-web: weight 1 instead of 100"
    mended: bool
    how: str = ""  # the step that mended it, or why it could not be


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault of ours
    """The agent cannot do what was asked. `unknown` says that the thing asked for does not exist."""

    def __init__(self, what: str, hint: str = "", *, unknown: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.unknown = unknown


class Agent(Protocol):
    """What people and programs may ask of a running agent. Every method may raise `Refused`."""

    def status(self) -> Status:
        """Return the present state; cheap, no I/O."""

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong now; cheap however many endpoints there are."""

    def explain(self, url: str) -> Explanation:
        """Say where a request for this URL would go, and why."""

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """Return the journal's entries with `seq` > after, oldest first."""

    def metrics(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""

    async def next_change(self, seq: int) -> int:
        """Wait until `status().seq` or the journal has moved past `seq`; return the new one."""

    async def set_admin(self, service: str, endpoint: str | None, state: AdminState) -> Changed:
        """Take an endpoint (by name or id; None: every one of the service) out of rotation, or back in."""

    async def set_weight(self, service: str, endpoint: str | None, weight: int | None) -> Changed:
        """Set the weight (0..256) of an endpoint or of all; None takes the operator's weight back."""

    async def thaw(self, source: str) -> Thawed:
        """Accept that the endpoints are gone that a frozen source keeps."""

    async def reload(self, reason: str) -> str:
        """Read the configuration again and reload HAProxy; return one sentence about it."""

    async def mend(self) -> tuple[Drift, ...]:
        """Compare HAProxy with what it should run, mend the differences, return them."""


def to_json(record: Any) -> Any:
    """Turn a record (or a sequence of records) into what `json.dumps` takes. Field names stay as they are."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {each.name: to_json(getattr(record, each.name)) for each in dataclasses.fields(record)}
    if isinstance(record, (list, tuple, set, frozenset)):
        return [to_json(each) for each in record]
    if isinstance(record, dict):
        return {str(key): to_json(value) for key, value in record.items()}
    return record
