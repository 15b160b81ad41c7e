"""The section `sources`: where services are discovered. One model for each type; `SOURCES` lists the types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from longshore.config.dns import DnsSource
from longshore.config.ec2 import Ec2Source
from longshore.config.engine import Engine, grouping
from longshore.config.fields import FilePath
from longshore.config.marathon import MarathonSource
from longshore.config.registries import REGISTRIES, ConsulSource, EtcdSource, ZookeeperSource
from longshore.config.section import Section
from longshore.config.swarm import AgentsSource, SwarmSource
from longshore.core import values
from longshore.core.values import RefusedError

OWN = "config"  # the name under which services with `endpoints` of this file are shown


class DockerSource(Engine):
    """The containers of one Docker engine."""

    type: Literal["docker"] = "docker"
    """What kind of source it is; may be left out when the source is named `docker`."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only containers with `longshore.` labels; `all`: every container that has a usable port."""
    group_by: Annotated[str, AfterValidator(grouping)] = "compose"
    """What containers belong to one service, when no label says it: `compose` (project and service, else the image),
    `image`, `label:KEY` or `env:KEY`."""


class FileSource(Section):
    """A folder of YAML files with services and fixed endpoints, for what no engine knows."""

    type: Literal["file"] = "file"
    """What kind of source it is; may be left out when the source is named `file`."""
    path: FilePath
    """The folder; every `*.yaml` and `*.yml` in it is read, again when its content changes. A single file works too."""


SourceConfig = (
    DockerSource
    | SwarmSource
    | AgentsSource
    | FileSource
    | DnsSource
    | EtcdSource
    | ZookeeperSource
    | ConsulSource
    | MarathonSource
    | Ec2Source
)
SOURCES: dict[str, type[SourceConfig]] = {
    "docker": DockerSource,
    "swarm": SwarmSource,
    "agents": AgentsSource,
    "file": FileSource,
    "dns": DnsSource,
    **REGISTRIES,
    "marathon": MarathonSource,
    "ec2": Ec2Source,
}


def source_type(value: Any) -> str | None:
    """Tell the type of a source that is a mapping or a section already."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) and kind in SOURCES else None


def typed(sources: Any) -> Any:
    """Fill in `type` for sources that are named after their type."""
    if not isinstance(sources, dict):
        return sources
    filled = {}
    for name, value in sources.items():
        source = {} if value is None else value
        filled[name] = {"type": name} | source if name in SOURCES and isinstance(source, dict) else source
    return filled


def known_type(value: Any) -> Any:
    """Refuse a source of no known type, naming those that are."""
    known = ", ".join(SOURCES)
    if isinstance(value, dict):
        if "type" not in value:
            raise PydanticCustomError(
                "source_type", "says no type; expected `type:` with one of: {known}", {"known": known}
            )
        if source_type(value) is None:
            given = value["type"]
            raise PydanticCustomError(
                "source_type",
                'unknown source type "{given}"; known are: {known}',
                {"given": str(given), "known": known},
            )
    elif not isinstance(value, Section):
        raise PydanticCustomError("source_type", "expected a mapping, like {type: docker}", {})
    return value


AnySource = Annotated[
    Annotated[DockerSource, Tag("docker")]
    | Annotated[SwarmSource, Tag("swarm")]
    | Annotated[AgentsSource, Tag("agents")]
    | Annotated[FileSource, Tag("file")]
    | Annotated[DnsSource, Tag("dns")]
    | Annotated[EtcdSource, Tag("etcd")]
    | Annotated[ZookeeperSource, Tag("zookeeper")]
    | Annotated[ConsulSource, Tag("consul")]
    | Annotated[MarathonSource, Tag("marathon")]
    | Annotated[Ec2Source, Tag("ec2")],
    Discriminator(source_type),
    BeforeValidator(known_type),
]


def source_name(value: str) -> str:
    """Check the name of a source."""
    if value == OWN:
        raise RefusedError(f'a source cannot be named "{OWN}"', "the services of this file go by that name")
    return values.name(value)


Sources = Annotated[
    dict[Annotated[str, AfterValidator(source_name)], AnySource],
    BeforeValidator(typed),
    Field(description="Where services are discovered."),
]
