"""The section `sources`: where services are discovered. One model for each type; `SOURCES` lists the types."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from longshore.config.fields import FilePath
from longshore.config.section import Section
from longshore.core import values
from longshore.core.values import RefusedError

OWN = "config"  # the name under which services with `endpoints` of this file are shown
SOCKET = "unix:///var/run/docker.sock"
HOST_EXAMPLES = '"unix:///var/run/docker.sock", "tcp://10.0.0.5:2376" or "ssh://user@host"'


def engine_host(value: str) -> str:
    """Check where an engine is said to be."""
    expected = f"expected an engine's address like {HOST_EXAMPLES}"
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError(expected) from None
    if not re.fullmatch(r"[!-~]+", value, re.ASCII) or url.query or url.fragment:
        raise ValueError(expected)
    if url.scheme == "unix" and not url.netloc and url.path.startswith("/") and len(url.path) > 1:
        return value
    if url.scheme == "tcp" and url.hostname and url.path in ("", "/") and not url.username:
        if port is None:
            raise ValueError(f'expected a port as well; did you mean "{value.rstrip("/")}:2375", or with TLS ":2376"?')
        return value.rstrip("/")
    if url.scheme == "ssh" and url.hostname and not url.password:
        return value.rstrip("/")
    if url.scheme in ("http", "https") and url.netloc:
        raise ValueError(f'{expected}; did you mean "tcp://{url.netloc}"?')
    if value.startswith("/"):
        raise ValueError(f'{expected}; did you mean "unix://{value}"?')
    raise ValueError(expected)


def grouping(value: str) -> str:
    """Check by what containers are grouped into services."""
    if value not in ("compose", "image") and not re.fullmatch(r"(label|env):[!-~]{1,200}", value, re.ASCII):
        raise ValueError('expected "compose", "image", "label:KEY" or "env:KEY"')
    return value


class EngineTls(Section):
    """Certificates for an engine that is reached over TLS, as PEM files."""

    ca: FilePath | None = None
    """The authority that signed the engine's certificate; by default the system's."""
    cert: FilePath | None = None
    """Our certificate, when the engine asks for one."""
    key: FilePath | None = None
    """The key of our certificate."""

    @model_validator(mode="after")
    def is_complete(self) -> Self:
        """A certificate is of no use without its key."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("has only one of cert and key; expected both")
        return self


class DockerSource(Section):
    """The containers of one Docker engine."""

    type: Literal["docker"] = "docker"
    """What kind of source it is; may be left out when the source is named `docker`."""
    host: Annotated[str, AfterValidator(engine_host)] = SOCKET
    """The engine: `unix:///path`, `tcp://host:port` or `ssh://user@host`. Default: `DOCKER_HOST`, else the local
    socket. A read-only socket proxy is enough."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only containers with `longshore.` labels; `all`: every container that has a usable port."""
    group_by: Annotated[str, AfterValidator(grouping)] = "compose"
    """What containers belong to one service, when no label says it: `compose` (project and service, else the image),
    `image`, `label:KEY` or `env:KEY`."""
    tls: EngineTls | None = None
    """TLS for `tcp://`. Default with `DOCKER_TLS_VERIFY`: the files in `DOCKER_CERT_PATH`."""


class FileSource(Section):
    """A folder of YAML files with services and fixed endpoints, for what no engine knows."""

    type: Literal["file"] = "file"
    """What kind of source it is; may be left out when the source is named `file`."""
    path: FilePath
    """The folder; every `*.yaml` and `*.yml` in it is read, again when its content changes. A single file works too."""


SourceConfig = DockerSource | FileSource
SOURCES: dict[str, type[DockerSource] | type[FileSource]] = {"docker": DockerSource, "file": FileSource}


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
    Annotated[DockerSource, Tag("docker")] | Annotated[FileSource, Tag("file")],
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
