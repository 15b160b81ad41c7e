"""A plain process that the registrar keeps in registries: where it answers, how it is checked, how it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr, model_validator

from longshore.config.fields import Duration, Name, listed, schema
from longshore.config.section import Section
from longshore.config.services import Port, prefix
from longshore.core import places, values
from longshore.core.entries import NodeType
from longshore.core.register_check import RegisterCheck, register_check
from longshore.core.values import RefusedError, shown

LONGEST_TAG = 200
Host = Annotated[str, AfterValidator(places.machine)]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed)]
Times = Annotated[int, Field(ge=1, le=100)]
Tags = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=LONGEST_TAG)], ...], BeforeValidator(listed)]
Period = Annotated[float, BeforeValidator(values.period), schema(type=["string", "number"], examples=["500ms", "2s"])]
CheckWords = Annotated[
    RegisterCheck,
    PlainSerializer(str, return_type=str),
    BeforeValidator(lambda value: value if isinstance(value, RegisterCheck) else register_check(value)),
    schema(type="string", examples=["tcp", "/health", "grpc", "redis"]),
]


def instance(value: str) -> str:
    """Check the name of a host, or of one copy on it: any text that can be part of a key."""
    if (
        not value.isprintable()
        or "/" in value
        or value.strip() != value
        or value in ("", ".", "..")
        or len(value) > 200
    ):
        raise RefusedError(
            f"{shown(value)} cannot be part of a key", "use at most 200 letters, digits, signs, and no /"
        )
    return value


def folder(value: str) -> str:
    """Check a folder of etcd or ZooKeeper; "/" is the whole of etcd."""
    return prefix(value) if value.strip("/") else "/"


def header(name: str) -> str:
    """Check the name of a header (RFC 9110, section 5.6.2)."""
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name, re.ASCII):
        raise RefusedError(f"{shown(name)} is not the name of a header")
    return name


def line(value: object) -> str:
    """Read one line of text."""
    return values.text(value)


Instance = Annotated[str, AfterValidator(instance)]
Line = Annotated[str, BeforeValidator(line)]
Labels = dict[Annotated[str, Field(min_length=1, max_length=200)], Line]


class RegisterCheckConfig(Section):
    """One of several checks of a process; a word like `tcp` or `/health` is short for `{check: …}`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    check: CheckWords
    """What is asked: `tcp`, `tls`, a path (`/health`), `https:/path`, `grpc`, `redis`, `rabbitmq` or `none`."""
    address: Host | None = None
    """Where; default: the process's `check-address`."""
    port: Port | None = None
    """On which port; default: the process's."""
    headers: dict[Annotated[str, AfterValidator(header)], Line] = Field(default_factory=dict)
    """HTTP: headers that are sent along; `Host` too."""
    status: Annotated[str, AfterValidator(values.status)] | None = None
    """HTTP: the answers that are good; default: `200-399`."""
    expect: Line | None = None
    """HTTP: what the body must contain."""
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """RabbitMQ: the user; default: `guest`."""
    password: SecretStr | None = None
    """RabbitMQ: the user's password; default: `guest`."""
    timeout: Period | None = None
    """Longest wait; default: the process's."""
    rise: Times | None = None
    """Successes in a row until it counts as passed; default: the process's."""
    fall: Times | None = None
    """Failures in a row until it counts as failed; default: the process's."""


def short_check(value: object) -> object:
    """Let a word stand for a whole check."""
    return value if isinstance(value, dict | RegisterCheckConfig) else {"check": value}


class RateLimitConfig(Section):
    """How often an endpoint may come and go in registries: a bucket of changes that fills by and by."""

    average: Annotated[float, Field(ge=0, le=1000, strict=False)]
    """Changes each second, on average: `0.1` is one in ten seconds."""
    burst: Annotated[float, Field(ge=1, le=10000, strict=False)] | None = None
    """Changes that may come together after a calm time; default: as many as were saved up."""
    shadow: bool = False
    """Only say what would have been held back."""


class RegisteredProcess(Section):
    """A plain process, in no container: where it answers, and how it is checked. Other keys are written as labels."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    address: Host | None = None
    """Where other hosts reach it; default: the `address` of this host."""
    port: Port
    """The port it answers on."""
    id: Instance | None = None
    """Tells it from others of the same service; default: this host's name and the port."""
    check: CheckWords = RegisterCheck("tcp")
    """`tcp`, `tls`, a path (`/health`), `https:/path`, `grpc`, `redis`, `rabbitmq` or `none`."""
    check_address: Host | None = None
    """Where it is checked; default: its `address`."""
    checks: Annotated[
        tuple[Annotated[RegisterCheckConfig, BeforeValidator(short_check)], ...], BeforeValidator(listed)
    ] = ()
    """Several checks in place of `check`; it is fit while all of them pass: `[tcp, {check: /health, port: 8081}]`."""
    interval: Period | None = None
    """Time between checks; default: the registrar's `interval`."""
    timeout: Period | None = None
    """Longest wait for one check; default: the registrar's `timeout`."""
    rise: Times | None = None
    """Successes in a row until it is registered; default: the registrar's `rise`."""
    fall: Times | None = None
    """Failures in a row until it is withdrawn; default: the registrar's `fall`."""
    tags: Tags = ()
    """Words to find it by."""
    labels: Labels = Field(default_factory=dict)
    """Further labels of its entry, as they are: `{az: eu-1a}`. Balancers can pick by them."""
    weight: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Its share of the traffic relative to the others; HAProxy counts more than 256 as 256."""
    server_options: Line | None = None
    """Nerve's `haproxy_server_options`, for Synapse; longshore's balancers take `backup` and `weight N` from it."""
    registry: Names | None = None
    """Where it is written, of those in the registrar's `registry`; default: all of them, `[]`: nowhere."""
    path: Annotated[str, Field(min_length=1), AfterValidator(folder)] | None = None
    """The folder of its entry in etcd or ZooKeeper, in place of `<prefix>/<service>`; layouts `native` and `nerve`."""
    node_type: NodeType = "ephemeral-sequential"
    """ZooKeeper: what kind of node it is. A persistent one stays when this host dies."""
    touch: Duration = 0.0
    """ZooKeeper: how often a persistent node is written anew, so that its time tells that somebody minds it."""
    path_encoding: bool | None = None
    """Layout `nerve` in ZooKeeper: whether the name of the node holds the entry; default: as the source says."""
    rate_limit: RateLimitConfig | None = None
    """How often its entry may come and go."""

    @property
    def pairs(self) -> Mapping[str, object]:
        """The keys that it shares with labels, as they were written; they go into the registry."""
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="after")
    def says_once_how_it_is_checked(self) -> Self:
        """One check or several."""
        if {"check", "checks"} <= self.model_fields_set:
            raise ValueError("has both `check` and `checks`; put all of them into `checks`")
        return self
