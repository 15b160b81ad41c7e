"""The source `dns`: names that are looked up again and again, by longshore or by HAProxy itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from longshore.config.fields import Duration, listed, schema, split_address
from longshore.config.section import Section
from longshore.core import places
from longshore.core.values import RefusedError, shown

LEAST_REFRESH = 1.0  # seconds


def nameserver(value: Any) -> str:
    """Where a nameserver is, in one spelling: "127.0.0.11:53" or "[fd00::1]:53"; the port may be left out."""
    text = value if isinstance(value, str) else ""
    address = places.ip(text.removeprefix("[").removesuffix("]"))
    port = 53
    if address is None and text:
        host, port = split_address(text)
        address = places.ip(host)
    if address is None:
        raise RefusedError(f"{shown(value)} is not the IP address of a nameserver", 'write "127.0.0.11:53"')
    return places.joined(address, port)


def bearable(value: float | None) -> float | None:
    """Check that nobody is asked more often than they can stand."""
    if value is not None and value < LEAST_REFRESH:
        raise RefusedError(f"{value:g} s between two questions is too short", "the least is 1s")
    return value


Nameserver = Annotated[str, BeforeValidator(nameserver), schema(type="string", examples=["127.0.0.11:53"])]


class DnsSource(Section):
    """Names of DNS: `tasks.<service>` of a Swarm, an alias on a Docker network, SRV records. `services:` says which."""

    type: Literal["dns"] = "dns"
    """What kind of source it is; may be left out when the source is named `dns`."""
    nameservers: Annotated[tuple[Nameserver, ...], BeforeValidator(listed)] = ()
    """Who is asked: `127.0.0.11:53` is Docker's own, inside a container. One after the other until one answers.
    Default: those of `/etc/resolv.conf`, without its search domains."""
    resolve: Literal["longshore", "haproxy"] = "longshore"
    """`longshore` asks and changes HAProxy at runtime. `haproxy`: HAProxy asks by itself and goes on doing so when
    longshore is gone; longshore only looks now and then whether there are enough slots."""
    family: Literal["auto", "ipv4", "ipv6", "both"] = "auto"
    """Which addresses: `auto` takes IPv6 addresses only of names that have no IPv4 address."""
    refresh: Annotated[Duration | None, AfterValidator(bearable)] = None
    """Time between two questions, at least 1s. Default: as long as the answer holds (its TTL), but 1s to 5s; HAProxy
    asks each second."""
    timeout: Duration = 1.0
    """How long a nameserver may take to answer."""
    hold: Duration = 30.0
    """How long the last addresses stay in use when the name no longer exists (NXDOMAIN) or has no address. While no
    nameserver can say anything, they stay for ever."""
    slots: int = Field(default=20, ge=1, le=1000)
    """`resolve: haproxy`: how many addresses there is room for at first. More room costs a reload, which longshore does
    when it is needed."""

    @model_validator(mode="after")
    def can_be_resolved(self) -> Self:
        """What HAProxy's own resolver cannot do."""
        if self.resolve == "haproxy" and self.family == "both":
            raise ValueError("`family: both` is not possible with `resolve: haproxy`: HAProxy takes one of them")
        return self
