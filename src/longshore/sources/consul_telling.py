"""Telling a sink what Consul says: only what is different, and after an outage not every bad word of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from longshore.core.entries import Entry
from longshore.sources.registered import Sink, Value


class Telling:
    """One stream into a sink. `told` is what the sink knows by key: it outlives a stream, and is kept up to date.

    Agents renew and judge TTLs by themselves, but stand still while they wait for a leader. So after an outage healthy
    entries look dead until their registrars are heard again. What was well before is believed to be so for `grace`
    seconds more, unless it was removed.
    """

    def __init__(self, sink: Sink, told: dict[str, Value], grace: float) -> None:
        self._sink, self._told, self._grace = sink, told, grace
        self._doubtful = bool(told)
        self._listed = asyncio.Event()
        self._found: Mapping[str, Value] = {}
        self._dead: Collection[str] = ()

    def tell(self, found: Mapping[str, Value], dead: Collection[str] = ()) -> None:
        """Take all there is, by key. `dead` are keys of entries that nobody keeps any more."""
        self._found, self._dead = found, dead
        now = {key: value for key, value in found.items() if key not in dead}
        if self._doubtful:
            now |= {key: self._told[key] for key, value in found.items() if self._looks_worse(key, value)}
        if not self._listed.is_set():
            self._sink.replace(now)
        else:
            for key in self._told.keys() - now.keys():
                self._sink.delete(key)
            for key, value in now.items():
                if key not in self._told or (self._told[key] is not value and self._told[key] != value):
                    self._sink.put(key, value)
        self._told.clear()
        self._told.update(now)
        self._listed.set()
        self._sink.published()

    async def settle(self) -> None:
        """Believe everything after a while."""
        if self._doubtful:
            await self._listed.wait()
            await asyncio.sleep(self._grace)
            self._doubtful = False
            self.tell(self._found, self._dead)

    def _looks_worse(self, key: str, value: Value) -> bool:
        was_well = key in self._told and not _is_critical(self._told[key])
        return was_well and (key in self._dead or _is_critical(value))


def _is_critical(value: Value) -> bool:
    return isinstance(value, Entry) and value.status == "critical"
