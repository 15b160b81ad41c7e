"""From the configuration to running sources of type dns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from longshore.agent.connect_origins import picked
from longshore.config.dns import DnsSource
from longshore.config.load import Loaded
from longshore.core.model import Service, Snapshot
from longshore.core.named import Named, Pick
from longshore.sources import dns

Work = Callable[[], Coroutine[Any, Any, None]]


def dns_work(
    loaded: Loaded, name: str, source: DnsSource, publish: Callable[[Snapshot], None], last: Snapshot | None
) -> Work:
    """How to start the endless work of a source. `last` is its snapshot of an earlier life."""
    return partial(dns.watch, name, source, names_of(loaded, name), publish, last=last)


def names_of(loaded: Loaded, source: str) -> tuple[Pick, ...]:
    """The services of the configuration that are made of names which this source looks up."""
    return tuple(
        Pick(name, spec, item.name, item.type, item.port or 0)
        for name, spec, item in picked(loaded, source)
        if item.name
    )


def unasked(loaded: Loaded, name: str, source: DnsSource) -> tuple[Service, ...]:
    """What can be known without asking anybody: with `resolve: haproxy` everything, else services without endpoints."""
    return Named(name, dns.resolvers_of(source), source.slots).build(names_of(loaded, name), {}, 0.0)
