"""From the configuration's services to what each source is to find for them, and to how they are put together."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from longshore.config.checks import CONTAINERS
from longshore.config.load import Loaded
from longshore.config.services import From
from longshore.core.composer import SOURCE
from longshore.core.model import Service
from longshore.core.origins import Composition, Item, fallback_of, part_of
from longshore.core.spec import Spec, service_parts
from longshore.core.toggle import usual


def picked(loaded: Loaded, source: str) -> Iterator[tuple[str, Spec, From]]:
    """Every item of `from` that names this source: the service that is made of it, or its part of a composed one."""
    for name, service in loaded.config.services.items():
        for index, item in enumerate(service.origins):
            if item.source == source and name in loaded.specs:
                yield part_of(name, index) if service.composed else name, loaded.specs[name], item


def counts_untoggled(
    loaded: Loaded, name: str, items: tuple[Item, ...], _parts: tuple[Service | None, ...]
) -> Collection[int]:
    """Which items of a service count as long as no toggle was read: see `core.origins.Counts`."""
    service = loaded.config.services.get(name)
    toggled = service is not None and service.from_toggle is not None
    chosen = usual([item.name for item in items if item.name]) if toggled else ""
    return [index for index, item in enumerate(items) if not toggled or item.name == chosen]


def compositions(loaded: Loaded) -> tuple[Composition, ...]:
    """How the services are made that have several origins."""
    types = {name: source.type for name, source in loaded.config.sources.items()}
    found = []
    for name, service in loaded.config.services.items():
        if not service.composed or name not in loaded.specs:
            continue
        items = tuple(
            Item(part_of(name, index), item.source, types[item.source] in CONTAINERS, item.as_ or "")
            for index, item in enumerate(service.origins)
        )
        mode, routes, policy = service_parts(loaded.specs[name], name)
        found.append(
            Composition(
                name,
                mode,
                routes,
                policy,
                items,
                service.from_first,
                fallback_of(name) if service.fallback else "",
                SOURCE if service.fallback else "",
                service.fallback_always,
                service.keep_last,
            )
        )
    return tuple(found)
