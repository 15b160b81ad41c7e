"""The section `services`: said by the operator, for what carries no labels. The file source's files hold the same.

Beside `from` or `endpoints`, a service takes the same keys as the labels (`core.keys`); they are kept as they were
written in `pairs` and read by `core.spec`, so that a label and a line of the file mean exactly the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from longshore.config.dns import Nameserver
from longshore.config.fields import listed, split_address
from longshore.config.raw import ServiceRaw, mapping
from longshore.config.section import Section, kebab
from longshore.config.toggle import FromToggle
from longshore.core import places, values
from longshore.core.conditions import condition
from longshore.core.values import RefusedError, shown

PREFIX_EXAMPLE = "/longshore/services"
Port = Annotated[int, Field(ge=1, le=65535)]
Weight = Annotated[int, Field(ge=0, le=256)]
Conditions = Annotated[tuple[Annotated[str, AfterValidator(condition)], ...], BeforeValidator(listed)]


def prefix(value: str) -> str:
    """Check the place in a registry beneath which entries stand; one slash before it and none behind comes back."""
    parts = [part for part in value.split("/") if part]
    if not parts or not all(re.fullmatch(r"[A-Za-z0-9_.:@+-]{1,100}", part, re.ASCII) for part in parts):
        raise RefusedError(f"{shown(value)} is not a path like {shown(PREFIX_EXAMPLE)}")
    if {".", ".."} & set(parts):
        raise RefusedError(f'{shown(value)} contains "." or ".."')
    return "/" + "/".join(parts)


def dns_name(value: str) -> str:
    """Check a name that is looked up in DNS; it comes back in lower case, without the dot at the end."""
    if places.ip(value):
        raise RefusedError(f"{shown(value)} is an address, not a name", "list addresses in `endpoints`")
    return places.machine(value)


def app_id(value: str) -> str:
    """Check the id of an app of Marathon's; it comes back with the slash before it: "/prod/web"."""
    parts = value.strip("/").split("/")
    if not all(re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?", part, re.ASCII) for part in parts):
        raise RefusedError(f"{shown(value)} is not the id of an app", 'write "/prod/web"')
    return "/" + "/".join(parts)


def endpoint(value: Any) -> Any:
    """Take "10.0.0.5:5432" apart; the long form passes through."""
    if not isinstance(value, str):
        return value
    try:
        address, port = split_address(value)
    except ValueError:
        address, port = "", 0
    if not address:
        raise PydanticCustomError(
            "endpoint",
            'expected "address:port", like "10.0.0.5:5432", "vm1.internal:80" or "[fd00::5]:80", got {given}',
            {"given": shown(value)},
        )
    return {"address": address, "port": port}


class FixedEndpoint(Section):
    """An endpoint that does not come from any engine: a VM, another machine, a process."""

    address: Annotated[str, AfterValidator(places.machine)]
    """IP address or host name. A name is looked up again and again in the background."""
    port: Port
    """The port to connect to."""
    name: Annotated[str, AfterValidator(values.name)] | None = None
    """What it is called in `status` and in HAProxy; default: address and port."""
    weight: Weight | None = None
    """Its share relative to the others, 0 to 256; default: the service's `weight`, else 100."""
    backup: bool | None = None
    """Gets traffic only when no other endpoint is up; default: the service's `backup`."""
    zone: Annotated[str, AfterValidator(values.name)] | None = None
    """Where it is: a data centre, a rack; default: the service's `zone`."""

    @property
    def named(self) -> bool:
        """Whether the address is a name that must be looked up."""
        return places.ip(self.address) is None

    @property
    def label(self) -> str:
        """How people write it: "vm1.internal:5432" or "[fd00::5]:80"."""
        return places.joined(self.address, self.port)


class From(Section):
    """Which containers, registry entries, names of DNS, apps or machines make up a service. All that is said must
    match."""

    source: str = "docker"
    """Name of the source."""
    as_: str | None = Field(default=None, min_length=1, max_length=100)
    """Its name in the list, which `from-toggle` chooses by. Items of the same name belong together: they serve
    together, and with `from-first` they have one turn."""
    image: str | None = Field(default=None, min_length=1)
    """Containers: their image, with or without registry and tag: "local/nodeapp"."""
    label: Conditions = ()
    """Labels they carry, or metadata of entries, or tags of EC2's machines: "tier", "tier=web" or "tier!=web", one or a
    list. All must hold."""
    service: str | None = Field(default=None, min_length=1)
    """The name of their service as the source groups it ("shop-web"), or as the registry has it."""
    path: Annotated[str, AfterValidator(prefix)] | None = None
    """Registry entries: the path beneath which they stand, anywhere in etcd or ZooKeeper: "/nerve/services/web"."""
    tag: str | None = Field(default=None, min_length=1)
    """Registry entries: a tag they carry."""
    nameserver: Annotated[tuple[Nameserver, ...], BeforeValidator(listed)] = ()
    """Registry entries: who is asked for the addresses of those that say a host name: "10.0.0.2:53", one or a list.
    Default: the system's resolver."""
    name: Annotated[str, AfterValidator(dns_name)] | None = None
    """DNS: the whole name to look up: "tasks.web", "_web._tcp.example.com". No search domain is added."""
    type: Literal["a", "srv"] = "a"
    """DNS: which records: `a` (addresses, with the `port` said here) or `srv` (address, port, weight and priority)."""
    app: Annotated[str, AfterValidator(app_id)] | None = None
    """Marathon: the id of the app: "/prod/web"."""
    port_index: int = Field(default=0, ge=0, le=1000)
    """Marathon: which of a task's ports, counted from 0."""
    port: Port | None = None
    """The container's port; default: the only one it exposes. Of registry entries: in place of the registered one. Of
    a name in DNS: needed, unless it has SRV records. Of machines of EC2: needed."""

    @model_validator(mode="after")
    def says_what(self) -> Self:
        """At least one condition must be there."""
        if not (self.image or self.label or self.service or self.path or self.tag or self.name or self.app):
            raise ValueError("expected at least one of image, label, service, path, tag, name, app: which are meant?")
        return self


def spelling(value: Any) -> str:
    """Tell how `from` is written: as a list, or as one."""
    return "list" if isinstance(value, list | tuple) else "one"


FixedEndpoints = Annotated[tuple[Annotated[FixedEndpoint, BeforeValidator(endpoint)], ...], BeforeValidator(listed)]
OneOrMore = Annotated[
    Annotated[From, Tag("one")]
    | Annotated[tuple[From, ...], Field(min_length=1), BeforeValidator(listed), Tag("list")],
    Discriminator(spelling),
]
BESIDE_FROM = ("from_first", "from_toggle", "fallback", "fallback_always", "keep_last")
"""What has a meaning only beside `from`."""


class ServiceConfig(Section):
    """A service of the operator: fixed endpoints, or what sources find, picked by image, label, service, path, name."""

    model_config = ConfigDict(extra="allow")

    from_: OneOrMore | None = None
    """What it consists of, found by a source. A list of such: all of them together."""
    from_first: bool = False
    """Of a list, only the first that has endpoints serves."""
    endpoints: FixedEndpoints = ()
    """Fixed endpoints: "10.0.0.5:5432", or `{address: vm1.internal, port: 5432, weight: 50}`."""
    from_toggle: FromToggle | None = None
    """Of a list, only the items serve whose name (`as`) a document elsewhere says."""
    fallback: FixedEndpoints = ()
    """Fixed endpoints that serve while `from` finds none; written like `endpoints`."""
    fallback_always: bool = False
    """Let the `fallback` endpoints serve beside those that `from` finds."""
    keep_last: bool = False
    """When `from` finds none any more, and there is no `fallback`, those that it found last go on; HAProxy's checks
    take out what does not answer."""

    raw: Annotated[ServiceRaw | None, BeforeValidator(mapping)] = None
    """Lines of your own for HAProxy's configuration of this service."""

    @property
    def origins(self) -> tuple[From, ...]:
        """The items of `from`, one or many; () with fixed endpoints."""
        if self.from_ is None:
            return ()
        return self.from_ if isinstance(self.from_, tuple) else (self.from_,)

    @property
    def composed(self) -> bool:
        """Whether it is more than what one `from` finds: `core.origins` puts it together."""
        return len(self.origins) > 1 or bool(self.fallback) or self.keep_last or self.from_toggle is not None

    @property
    def pairs(self) -> Mapping[str, object]:
        """The keys that it shares with the labels, as they were written."""
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="after")
    def has_one_origin(self) -> Self:
        """Endpoints come from exactly one place."""
        if self.from_ is not None and "endpoints" in self.model_fields_set:
            raise ValueError("has both `from` and `endpoints`; expected one of them")
        if self.from_ is None and "endpoints" not in self.model_fields_set:
            raise ValueError("says neither `from` (which containers?) nor `endpoints` (which addresses?)")
        said = [kebab(key) for key in BESIDE_FROM if getattr(self, key)]
        if self.from_ is None and said:
            raise ValueError(f"`{said[0]}` has a meaning only with `from`")
        if self.fallback_always and not self.fallback:
            raise ValueError("says `fallback-always`, but no `fallback`")
        if self.from_toggle and self.from_first:
            raise ValueError("has both `from-first` and `from-toggle`; expected one of them")
        if self.from_toggle and not all(item.as_ for item in self.origins):
            raise ValueError("`from-toggle` needs a name for each item of `from`: {as: primary, source: …}")
        return self
