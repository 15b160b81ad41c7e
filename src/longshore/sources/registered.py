"""The loop that `etcd`, `zookeeper` and `consul` share: what stands in a registry as snapshots, for ever.

An `Adapter` speaks to its registry and tells a `Sink` what stands there: first everything, then each change. Whatever
breaks, the last snapshot stays, marked stale with the reason, and the adapter is asked to list again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol

from longshore.core.entries import Broken, Entry

Value = bytes | Entry | Broken
"""What stands at a key: raw bytes for the layout to read, or what the adapter understood already (Consul)."""


class Sink(Protocol):
    """Takes what an adapter finds. All calls are cheap; nothing is published before `published`."""

    def replace(self, found: Mapping[str, Value]) -> None:
        """Take the whole content: after listing. What is not in it is gone."""

    def put(self, key: str, value: Value) -> None:
        """Take one key, new or changed."""

    def delete(self, key: str) -> None:
        """Forget one key; an unknown one is no error."""

    def published(self) -> None:
        """End a batch (a listing, the events of one answer): a snapshot is published if anything is different."""


class Adapter(Protocol):
    """One registry, to read from."""

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Connect, list, `sink.replace`, `sink.published`; then follow. Called again after every failure.

        Raises RegistryError on whatever breaks (also a suspended session, a compaction, no leader), and nothing else.
        Keys are whole keys or paths, as text; bytes that are not UTF-8 are written with "backslashreplace".
        """
