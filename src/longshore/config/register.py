"""The section `register`: what runs on this host is written into registries, for as long as it is healthy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from longshore.config.engine import Engine, grouping
from longshore.config.fields import Duration, FilePath, Name, listed, schema
from longshore.config.register_process import LONGEST_TAG, Host, Instance, Names, Period, RegisteredProcess, Times
from longshore.config.section import Section
from longshore.core import values
from longshore.core.go_template import is_template, template
from longshore.core.registration import Metadata
from longshore.core.registration_address import EVERY
from longshore.core.values import RefusedError, shown


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


class RegisterConfig(Section):
    """The registrar of this host (`longshore register`)."""

    registry: Names = ()
    """Where to write: one of `sources` (etcd, zookeeper, consul), or a list of them. Default: the only one there is."""
    address: Host | None = None
    """Where other hosts reach this one, an IP or a name; default: the address it has towards the registry."""
    address_label: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A label of containers that tells the IP at which other hosts reach them (`10.1.2.3` or `10.1.2.3/24`); those that
    have it not are reached as any other."""
    name: Instance | None = None
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
    heartbeat_file: FilePath | None = None
    """A file whose time is set every 10 s while the registrar works and every registry answers: for a watchdog."""
    deregister_delay: Duration = 0.0
    """How long a container's end is put off after its entry is withdrawn, where the engine lets us; balancers notice
    in the meantime."""
    services: dict[Name, RegisteredProcess] = Field(default_factory=dict)
    """Plain processes on this host, by the name of their service."""
