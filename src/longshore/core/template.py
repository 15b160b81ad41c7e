"""Servers that HAProxy finds itself: `resolvers` and `server-template` (configuration manual, 5.3 and 4.2).

All slots are part of the configuration, so a template costs a reload when it comes, changes or goes; who has which slot
is HAProxy's own business. Resolvers that are alike share a section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from longshore.core import quote, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Resolvers, Service
from longshore.core.raw import Line
from longshore.core.server import options_of

PREFIX = "slot-"  # of their names; a server of ours has a "." and a hash in it
ROOM = 8192  # bytes of an answer; by default HAProxy takes 512, some 25 addresses, and none of a longer one


@dataclass(frozen=True, slots=True)
class Slots:
    """What stands in the backend."""

    line: str  # "server-template slot- 20 tasks.web:8000 check …"
    resolvers: Resolvers


def slots_of(service: Service, caps: Capabilities, own: tuple[Line, ...] = ()) -> Slots | None:
    """The slots of a service, if HAProxy finds its endpoints. Raises ValueError for what HAProxy cannot carry."""
    template = service.template
    if template is None:
        return None
    name = quote.word(template.name)
    words = [f"server-template {PREFIX} {template.slots} {name}:{template.port}"]
    if not template.port:
        words = [f"server-template {PREFIX} {template.slots} {name}", "resolve-opts allow-dup-ip"]  # ports may differ
    words += options_of(service, caps, own)
    weight = None
    if service.raw is not None:
        theirs, weight = raw_lines.server_words(service, None, own)
        words += theirs
    words += ["backup"] if template.backup else []
    words += [
        f"resolvers {name_of(template.resolvers)}",
        f"resolve-prefer {template.resolvers.prefer}",
        "init-addr last,none",  # after a reload they go on with what they had; at a start, nothing waits for DNS
        f"weight {template.weight if weight is None else weight}",
    ]
    return Slots(" ".join(words), template.resolvers)


def owns(server: str) -> bool:
    """Whether a server of a backend with slots is one of these."""
    return server.startswith(PREFIX) and server.removeprefix(PREFIX).isdigit()


def name_of(resolvers: Resolvers) -> str:
    """The name of their section."""
    numbers = (resolvers.refresh, resolvers.timeout, resolvers.hold)
    return f"r-{quote.digest(*resolvers.nameservers, *map(str, numbers))}"


def section(resolvers: Resolvers) -> Iterator[str]:
    """The lines of a `resolvers` section. Only NXDOMAIN takes servers out: unknown is never empty."""
    yield f"resolvers {name_of(resolvers)}"
    if not resolvers.nameservers:
        yield "    parse-resolv-conf"
    for number, nameserver in enumerate(resolvers.nameservers, 1):
        yield f"    nameserver n{number} {quote.quote(nameserver)}"
    yield f"    accepted_payload_size {ROOM}"
    yield "    resolve_retries 3"
    yield f"    timeout resolve {quote.duration(resolvers.refresh)}"
    yield f"    timeout retry {quote.duration(resolvers.timeout)}"
    yield f"    hold valid {quote.duration(resolvers.refresh)}"
    yield f"    hold nx {quote.duration(resolvers.hold)}"
    yield from (f"    hold {what} {quote.duration(0)}" for what in ("timeout", "refused", "other"))  # 24 days
    yield "    hold obsolete 0s"
