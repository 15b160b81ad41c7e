"""Looking at a registry of the configuration without serving it: what stands there now, read once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from longshore.agent.connect_registries import adapter_of, registry_options
from longshore.clients.registry_faults import RegistryError
from longshore.config.load import Loaded
from longshore.config.registries import Registry
from longshore.core.registered_entry import Value
from longshore.core.registered_options import Options
from longshore.sources.registered import Adapter

PATIENCE = 60.0
"""Seconds that a listing may take; a registry that does not answer says so much earlier."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One registry of the configuration, to read from."""

    name: str
    source: Registry
    options: Options

    def adapter(self) -> Adapter:
        """Make what speaks to it."""
        return adapter_of(self.source, self.options)

    @property
    def whole(self) -> Reading:
        """The same without the services that the configuration picks: everything beneath the prefix."""
        return replace(self, options=replace(self.options, find="all", picks=()))


def readings(loaded: Loaded) -> dict[str, Reading]:
    """Give every registry of the configuration by its name."""
    found = {name: source for name, source in loaded.config.sources.items() if isinstance(source, Registry)}
    return {name: Reading(name, source, registry_options(loaded, name, source)) for name, source in found.items()}


async def listing(adapter: Adapter, patience: float = PATIENCE) -> dict[str, Value]:
    """Give everything that stands there. Raises RegistryError."""
    sink = _Once()
    reading = asyncio.ensure_future(adapter.list_then_stream(sink))
    listed = asyncio.create_task(sink.done.wait())
    try:
        await asyncio.wait({reading, listed}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if sink.found is not None and listed.done():
            return sink.found
        if reading.done():
            reading.result()
        raise RegistryError(f"the registry could not be listed within {patience:g} s", "is it overloaded?")
    finally:
        for task in (reading, listed):
            task.cancel()
        await asyncio.gather(reading, listed, return_exceptions=True)


class _Once:
    """Takes the first listing."""

    def __init__(self) -> None:
        self.found: dict[str, Value] | None = None
        self.done = asyncio.Event()

    def replace(self, found: Mapping[str, Value]) -> None:
        self.found = dict(found)

    def put(self, key: str, value: Value) -> None:
        """What changes after the listing is of the next one."""

    def delete(self, key: str) -> None:
        """The same."""

    def published(self) -> None:
        if self.found is not None:
            self.done.set()
