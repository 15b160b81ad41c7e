"""The section `register`: what runs on this host is written into registries, for as long as it is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer

from longshore.config.engine import Engine, grouping
from longshore.config.fields import Duration, Name, listed, schema
from longshore.config.section import Section
from longshore.config.services import Port
from longshore.core import places, values
from longshore.core.go_template import is_template, template
from longshore.core.register_check import RegisterCheck, register_check
from longshore.core.registration import Metadata
from longshore.core.registration_address import EVERY
from longshore.core.values import RefusedError, shown

Host = Annotated[str, AfterValidator(places.machine)]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed)]
Times = Annotated[int, Field(ge=1, le=100)]
Tags = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], BeforeValidator(listed)]


def network(value: str) -> str:
    """Check the name of a network, or "*" for every one."""
    return value if value == EVERY else values.name(value)


def tag(value: str) -> str:
    """Check a tag, or the template that makes some of each container."""
    if is_template(value):
        template(value)
    elif len(value) > LONGEST_TAG:
        raise RefusedError(f"{shown(value)} is longer than {LONGEST_TAG} characters")
    return value


LONGEST_TAG = 200
Networks = Annotated[tuple[Annotated[str, AfterValidator(network)], ...], BeforeValidator(listed)]
TagsOrTemplates = Annotated[
    tuple[Annotated[str, Field(min_length=1), AfterValidator(tag)], ...], BeforeValidator(listed)
]


def lease(value: object) -> float:
    """Read how long an entry lives without us: long enough to be renewed in time, short enough to be of use."""
    seconds = values.duration(value)
    if not 2 <= seconds <= 3600:
        raise RefusedError("must be from 2s to 1h")
    return seconds


Ttl = Annotated[float, BeforeValidator(lease), schema(type=["string", "number"], minimum=2, examples=["10s"])]
Period = Annotated[float, BeforeValidator(values.period), schema(type=["string", "number"], examples=["500ms", "2s"])]
CheckWords = Annotated[
    RegisterCheck,
    PlainSerializer(str, return_type=str),
    BeforeValidator(lambda value: value if isinstance(value, RegisterCheck) else register_check(value)),
    schema(type="string", examples=["tcp", "/health", "grpc", "redis"]),
]


class RegisteredProcess(Section):
    """A plain process, in no container: where it answers, and how it is checked. Other keys are written as labels."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    address: Host | None = None
    """Where other hosts reach it; default: the `address` of this host."""
    port: Port
    """The port it answers on."""
    id: Annotated[str, AfterValidator(values.name)] | None = None
    """Tells it from others of the same service; default: this host's name and the port."""
    check: CheckWords = RegisterCheck("tcp")
    """`tcp`, `tls`, a path (`/health`), `https:/path`, `grpc`, `redis` or `none`."""
    check_address: Host | None = None
    """Where it is checked; default: its `address`."""
    tags: Tags = ()
    """Words to find it by."""
    weight: Annotated[int, Field(ge=0, le=256)] | None = None
    """Its share of the traffic relative to the others."""

    @property
    def pairs(self) -> Mapping[str, object]:
        """The keys that it shares with labels, as they were written; they go into the registry."""
        return dict(self.__pydantic_extra__ or {})


class RegisterConfig(Section):
    """The registrar of this host (`longshore register`)."""

    registry: Names = ()
    """Where to write: one of `sources` (etcd, zookeeper, consul), or a list of them. Default: the only one there is."""
    address: Host | None = None
    """Where other hosts reach this one, an IP or a name; default: the address it has towards the registry."""
    address_label: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A label of containers that tells the IP at which other hosts reach them (`10.1.2.3` or `10.1.2.3/24`); those that
    have it not are reached as any other."""
    name: Name | None = None
    """This host's name in the registry; default: its hostname."""
    ttl: Ttl = 10.0
    """How long entries outlive a registrar that died, or a host."""
    zone: Name | None = None
    """The zone of this host: a data centre, a rack; balancers may prefer their own."""
    containers: bool = True
    """Register containers of the local engine; `false`: only `services`."""
    docker: Engine = Engine()
    """The local engine."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only containers with `longshore.` labels; `all`: every container that other hosts can reach."""
    group_by: Annotated[str, AfterValidator(grouping)] = "compose"
    """What containers belong to one service, when no label says it: `compose`, `image`, `label:KEY`, `env:KEY`."""
    metadata: Metadata = "longshore"
    """What of a container says how it is registered: its `longshore.` labels; `registrator`: the `SERVICE_…` of its
    environment and labels; `docker-register`: nothing, its image and its only published port are enough."""
    cleanup: bool = False
    """With registrator's layout in Consul: remove what a registrator left of this host that nobody keeps any more."""
    networks: Networks = ()
    """Container networks whose addresses other hosts can reach (macvlan, overlay, routed): those are registered rather
    than published ports. `*` is every network."""
    tags: TagsOrTemplates = ()
    """Words that every entry gets; `{{ mIndex "team" .Config.Labels }}` makes them of each container, as registrator's
    `-tags` does."""
    interval: Period = 2.0
    """Time between checks."""
    timeout: Period = 1.0
    """Longest wait for one check."""
    rise: Times = 1
    """Successes in a row until an endpoint is registered."""
    fall: Times = 2
    """Failures in a row until it is withdrawn."""
    deregister_delay: Duration = 0.0
    """How long a container's end is put off after its entry is withdrawn, where the engine lets us; balancers notice
    in the meantime."""
    services: dict[Name, RegisteredProcess] = Field(default_factory=dict)
    """Plain processes on this host, by the name of their service."""
