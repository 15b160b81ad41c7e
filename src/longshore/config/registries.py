"""Sources that are registries: etcd, ZooKeeper, Consul. Hosts meet there; `register` writes to the same."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from longshore.config.engine import EngineTls
from longshore.config.fields import FilePath, listed, split_address
from longshore.config.section import Section
from longshore.config.services import PREFIX_EXAMPLE as PREFIX
from longshore.config.services import Conditions, prefix
from longshore.core import places, values
from longshore.core.values import RefusedError, shown


def url(example: str, *, unix: bool = False) -> AfterValidator:
    """Make a check of addresses of an HTTP server, without a path."""

    def read(value: str) -> str:
        expected = f"{shown(value)} is not an address like {shown(example)}"
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise RefusedError(expected) from None
        if not re.fullmatch(r"[!-~]+", value, re.ASCII) or parts.query or parts.fragment or parts.username:
            raise RefusedError(expected)
        if unix and parts.scheme == "unix" and not parts.netloc and len(parts.path) > 1:
            return value
        if parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/"):
            if port is None:
                raise RefusedError(f"{shown(value)} says no port", f"write {shown(example)}")
            return value.rstrip("/")
        meant = f"http://{value}" if re.fullmatch(r"[A-Za-z0-9_.-]+:[0-9]+", value) else ""
        raise RefusedError(expected, f"did you mean {shown(meant)}?" if meant else "")

    return AfterValidator(read)


def variable(value: str) -> str:
    """Check the name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", value, re.ASCII):
        raise RefusedError(f"{shown(value)} is not the name of an environment variable", "like CONSUL_HTTP_TOKEN")
    return value


def server(value: str) -> str:
    """Check "host:port" of a ZooKeeper server."""
    try:
        places.machine(split_address(value)[0])
    except RefusedError:
        meant = f"{value}:2181" if re.fullmatch(r"[A-Za-z0-9_.-]+", value, re.ASCII) else "10.0.0.1:2181"
        raise RefusedError(f"{shown(value)} is not the host and port of a server", f"write {shown(meant)}") from None
    return value


Prefix = Annotated[str, AfterValidator(prefix)]
Tags = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], BeforeValidator(listed)]
Url = Annotated[str, url("http://127.0.0.1:2379")]
ConsulAddress = Annotated[str, url("http://127.0.0.1:8500", unix=True)]
Server = Annotated[str, AfterValidator(server)]


class RegistryTls(EngineTls):
    """Certificates for a registry that is reached over TLS, as PEM files."""

    ca: FilePath | None = None
    """The authority that signed the registry's certificates; by default the system's."""
    cert: FilePath | None = None
    """Our certificate, when the registry asks for one."""


class RegistrySource(Section):
    """What all registries have in common."""

    find: Literal["all", "named"] = "all"
    """`all`: every service that stands there; `named`: only what `services:` picks with `from`."""
    labels: Conditions = ()
    """Only entries with these labels: `tier`, `tier=web` or `tier!=web`. All must hold."""
    tags: Tags = ()
    """Only entries with all of these tags."""


class EtcdSource(RegistrySource):
    """What is registered in etcd (API v3, from 3.4 on)."""

    type: Literal["etcd"] = "etcd"
    """What kind of source it is; may be left out when the source is named `etcd`."""
    endpoints: Annotated[tuple[Url, ...], BeforeValidator(listed), Field(min_length=1)] = ("http://127.0.0.1:2379",)
    """The servers, any number of one cluster; one that does not answer is passed over."""
    prefix: Prefix = PREFIX
    """Everything beneath it is read: `<prefix>/<service>/<endpoint>`."""
    layout: Literal["native", "nerve", "registrator", "skydns2", "docker-register"] = "native"
    """Who writes the entries: longshore (`native`), `nerve`, `registrator`, registrator for SkyDNS or CoreDNS
    (`skydns2`), or `docker-register`."""
    username: str | None = Field(default=None, min_length=1, max_length=200)
    """User, when the cluster asks for one."""
    password_file: FilePath | None = None
    """A file with the user's password."""
    tls: RegistryTls | None = None
    """Certificates for `https://` endpoints."""


class ZookeeperSource(RegistrySource):
    """What is registered in ZooKeeper. Needs the extra `longshore[zookeeper]`."""

    type: Literal["zookeeper"] = "zookeeper"
    """What kind of source it is; may be left out when the source is named `zookeeper`."""
    hosts: Annotated[tuple[Server, ...], BeforeValidator(listed), Field(min_length=1)] = ("127.0.0.1:2181",)
    """The servers of the ensemble."""
    prefix: Prefix = PREFIX
    """Everything beneath it is read: `<prefix>/<service>/<endpoint>`."""
    layout: Literal["native", "nerve", "serverset", "registrator"] = "native"
    """Who writes the entries: longshore (`native`), `nerve`, Finagle and Aurora (`serverset`), or `registrator`."""
    endpoint: str = Field(default="", max_length=200)
    """`serverset`: which of the named endpoints to use; by default the service's own."""
    path_encoding: bool = False
    """`nerve`: write entries into the names of nodes (`base64_…`). Both spellings are always read."""
    auth_file: FilePath | None = None
    """A file with `user:password` for digest authentication."""
    tls: RegistryTls | None = None
    """Certificates, when the servers speak TLS."""


class ConsulSource(RegistrySource):
    """What is registered in Consul."""

    type: Literal["consul"] = "consul"
    """What kind of source it is; may be left out when the source is named `consul`."""
    address: ConsulAddress = "http://127.0.0.1:8500"
    """The agent of this host: `http://`, `https://` or `unix:///path`."""
    token_file: FilePath | None = None
    """A file with the ACL token."""
    token_variable: Annotated[str, AfterValidator(variable)] | None = None
    """An environment variable with the ACL token, in place of a file: `CONSUL_HTTP_TOKEN`."""
    datacenter: Annotated[str, AfterValidator(values.name)] | None = None
    """Whose entries to read; by default those of the agent's own datacenter."""
    layout: Literal["native", "registrator", "consulkv"] = "native"
    """`native`: services that longshore registered; `registrator`: every service of the catalog; `consulkv`: keys
    beneath `prefix`."""
    prefix: Prefix = PREFIX
    """`consulkv`: everything beneath it is read."""
    tls: RegistryTls | None = None
    """Certificates for `https://`."""

    @model_validator(mode="after")
    def one_token(self) -> Self:
        """A token comes from one place."""
        if self.token_file and self.token_variable:
            raise ValueError("has both token-file and token-variable; expected one of them")
        return self


Registry = EtcdSource | ZookeeperSource | ConsulSource
REGISTRIES: dict[str, type[Registry]] = {"etcd": EtcdSource, "zookeeper": ZookeeperSource, "consul": ConsulSource}
WRITABLE = {
    "etcd": ("native", "nerve", "registrator", "skydns2", "docker-register"),
    "zookeeper": ("native", "nerve", "registrator"),
    "consul": ("native", "registrator", "consulkv"),
}
"""Layouts that `register` can write, by the type of the source."""
