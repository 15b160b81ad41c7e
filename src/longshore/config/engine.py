"""How a Docker engine is reached: its address, and TLS. Sources and the registrar say it alike."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from longshore.config.fields import FilePath
from longshore.config.section import Section

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


class Engine(Section):
    """A Docker engine."""

    host: Annotated[str, AfterValidator(engine_host)] = SOCKET
    """The engine: `unix:///path`, `tcp://host:port` or `ssh://user@host`. Default: `DOCKER_HOST`, else the local
    socket. A read-only socket proxy is enough."""
    tls: EngineTls | None = None
    """TLS for `tcp://`. Default with `DOCKER_TLS_VERIFY`: the files in `DOCKER_CERT_PATH`."""
