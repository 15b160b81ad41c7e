"""The configuration as typed, immutable values. `load.load` makes it from file, environment and defaults.

`Config()` alone is what runs without a file, as root. Every attribute is the file's key with underscores; durations are
seconds, addresses have one spelling (":80", "127.0.0.1:80", "[::1]:80"), relative paths are read from the folder of the
configuration file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from longshore.config.agent import AgentConfig
from longshore.config.dns import DnsSource
from longshore.config.engine import EngineTls
from longshore.config.fields import BindAddresses, Duration, FilePath, Name, OptionalBindAddress
from longshore.config.file_output import FileOutputConfig
from longshore.config.haproxy import HaproxyConfig
from longshore.config.here import HereConfig
from longshore.config.register import RegisterConfig
from longshore.config.registries import ConsulSource, EtcdSource, ZookeeperSource
from longshore.config.section import Section
from longshore.config.services import FixedEndpoint, From, ServiceConfig
from longshore.config.sources import DockerSource, FileSource, SourceConfig, Sources
from longshore.core import values
from longshore.core.values import RefusedError, words

__all__ = [
    "AdminConfig",
    "Config",
    "ConsulSource",
    "DnsSource",
    "DockerSource",
    "EngineTls",
    "EtcdSource",
    "FileOutputConfig",
    "FileSource",
    "FixedEndpoint",
    "From",
    "FrontendConfig",
    "HaproxyConfig",
    "HereConfig",
    "RegisterConfig",
    "ServiceConfig",
    "SourceConfig",
    "TlsConfig",
    "ZookeeperSource",
]
RESERVED = ("listen-", "tcp-", "stats")  # frontends that longshore makes itself are named so


def short_frontend(value: Any) -> Any:
    """`http: ":80"` is short for `http: {bind: ":80"}`."""
    return value if isinstance(value, (dict, Section)) else {"bind": value}


def frontend_name(value: str) -> str:
    """Check the name of a frontend."""
    if value.startswith(RESERVED):
        raise RefusedError(f"a frontend's name cannot start with {words(RESERVED)}", "longshore makes those itself")
    return values.name(value)


class TlsConfig(Section):
    """TLS of a frontend."""

    certificates: FilePath
    """A PEM file with certificate and key, or a folder of them; the client's server name picks one."""


class FrontendConfig(Section):
    """Where longshore listens for HTTP."""

    bind: Annotated[BindAddresses, Field(min_length=1)]
    """One address or a list: `":80"` (every IPv4 address), `"127.0.0.1:80"`, `"[::]:80"`."""
    tls: TlsConfig | None = None
    """Speak HTTPS on these addresses."""
    proxy_protocol: bool = False
    """Expect the PROXY protocol: the balancer in front says who the client is. Without it no connection is accepted."""


class AdminConfig(Section):
    """The API and `/metrics`. The same API is always on a unix socket in the state directory."""

    bind: OptionalBindAddress = "127.0.0.1:8404"
    """Its address; `off` for none."""
    token_file: FilePath | None = None
    """A file with the token that callers over TCP must send. By default none is asked for."""


FrontendConfigs = dict[
    Annotated[str, AfterValidator(frontend_name)],
    Annotated[FrontendConfig, BeforeValidator(short_frontend)],
]


def default_frontends() -> dict[str, FrontendConfig]:
    """Where longshore listens when the file does not say."""
    return {"http": FrontendConfig(bind=(":80",))}


def default_sources() -> dict[str, SourceConfig]:
    """Where services are discovered when the file does not say."""
    return {"docker": DockerSource()}


class Config(Section):
    """The whole file, `longshore.yaml`."""

    frontends: FrontendConfigs = Field(default_factory=default_frontends)
    """Where longshore listens for HTTP: name and address. Default: `http` on `:80`, or `:8080` when not root."""
    admin: AdminConfig = AdminConfig()
    """The API and `/metrics`."""
    state_dir: FilePath = Path("/var/lib/longshore")
    """Where longshore keeps sockets, HAProxy's configuration and the last good state. When not root:
    `$XDG_STATE_HOME/longshore`, else `~/.local/state/longshore`."""
    haproxy: HaproxyConfig = HaproxyConfig()
    """Which HAProxy serves the traffic, and how."""
    sources: Sources = Field(default_factory=default_sources)
    """Where services are discovered. Default: the local Docker engine."""
    services: dict[Name, ServiceConfig] = Field(default_factory=dict)
    """Services said by the operator, for what carries no labels: `from` or `endpoints`, and the same keys as labels."""
    register_: RegisterConfig | None = None
    """What of this host is written into registries, by `longshore register`."""
    agent: AgentConfig = AgentConfig()
    """What `longshore agent` tells balancers of this machine, and to whom."""
    here: HereConfig = HereConfig()
    """Where this balancer is."""
    file_output: FileOutputConfig | None = None
    """Who serves what, as JSON files for other programs."""
    forget_after: Duration = 600.0
    """How long a service that lost its last endpoint is remembered, and answers 503 instead of 404."""
