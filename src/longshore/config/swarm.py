"""The sources `swarm` (a Docker Swarm, seen through one of its managers) and `agents` (an agent on each machine)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from longshore.config.dns import Nameserver
from longshore.config.engine import Engine, EngineTls, grouping
from longshore.config.fields import Duration, FilePath, listed, schema, split_address, word
from longshore.config.section import Section
from longshore.config.services import Port
from longshore.core import places
from longshore.core.values import RefusedError, shown

NetworkNames = Annotated[tuple[Annotated[str, AfterValidator(word)], ...], BeforeValidator(listed)]


class SwarmSource(Engine):
    """The services of a Docker Swarm. The engine must be one of its managers."""

    type: Literal["swarm"] = "swarm"
    """What kind of source it is; may be left out when the source is named `swarm`."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only services with `longshore.` labels, on the service or its containers; `all`: every service that
    publishes a port."""
    networks: NetworkNames = ()
    """Names of overlay networks that the balancer shares, when it cannot find out by itself: by default those of its
    own container, if that runs on the same engine or as a task of the Swarm."""


def agent_address(value: Any) -> str:
    """Where an agent is, in one spelling: an IP address with a port."""
    try:
        host, port = split_address(str(value))
    except RefusedError:
        host, port = "", 0
    if (address := places.ip(host)) is None:
        raise RefusedError(f"{shown(str(value))} is not the address of an agent", 'write "10.0.0.5:8404"')
    return places.joined(address, port)


AgentAddress = Annotated[str, BeforeValidator(agent_address), schema(type="string", examples=["10.0.0.5:8404"])]


class AgentsTls(EngineTls):
    """TLS to the agents, as PEM files."""

    name: Annotated[str, AfterValidator(places.machine)] | None = None
    """The name that the agents' certificates carry; default: the `dns` name."""


class AgentsSource(Section):
    """The containers of many machines, as an agent on each of them (`longshore agent`) tells."""

    type: Literal["agents"] = "agents"
    """What kind of source it is; may be left out when the source is named `agents`."""
    dns: Annotated[str, AfterValidator(word)] | None = None
    """A name that has the addresses of all agents: in a Swarm `tasks.<service of the agents>`."""
    port: Port = 8404
    """The port that the agents behind `dns` listen on."""
    nameservers: Annotated[tuple[Nameserver, ...], BeforeValidator(listed)] = ()
    """Who is asked for `dns`. Default: those of `/etc/resolv.conf`."""
    addresses: Annotated[tuple[AgentAddress, ...], BeforeValidator(listed)] = ()
    """Agents that are known by their addresses: "10.0.0.5:8404"."""
    token_file: FilePath | None = None
    """A file with the token that the agents ask for; in a Swarm a secret."""
    tls: AgentsTls | None = None
    """Speak TLS to the agents; `cert` and `key` when they ask for a certificate of ours."""
    keep: Duration = 600.0
    """How long what an agent told stays in use when it is gone: checks take out what does not answer. When all agents
    are gone it stays for ever."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only containers with `longshore.` labels; `all`: every container that has a usable port."""
    group_by: Annotated[str, AfterValidator(grouping)] = "compose"
    """What containers belong to one service, when no label says it: `compose` (project and service, else the Swarm's
    service, else the image), `image` or `label:KEY`."""
    networks: NetworkNames = ()
    """Names of overlay networks that the balancer shares, when the agents cannot tell: by default those of its own
    container."""

    @model_validator(mode="after")
    def says_where(self) -> Self:
        """There must be a way to the agents."""
        if self.dns is None and not self.addresses:
            raise ValueError("says neither `dns` nor `addresses`: where are the agents? (dns: tasks.longshore-agent)")
        if self.group_by.startswith("env:"):
            raise ValueError("agents do not tell the environment of containers; use `label:KEY`")
        return self
