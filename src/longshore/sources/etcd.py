"""The source `etcd`: what stands under a prefix at one revision, then every change from the next revision on.

Nothing can fall in between, so nothing needs to be polled. What etcd has forgotten (compaction) is listed again.
What the values mean is the layout's to say; what the loop around does, `sources.registered`'s.
"""

from __future__ import annotations

import asyncio
import random
from typing import NoReturn

from longshore.clients.etcd import EtcdClient, Patience
from longshore.clients.etcd_connect import EtcdSettings, client_of
from longshore.clients.etcd_faults import CompactedError
from longshore.sources.registered import Sink


class EtcdAdapter:
    """One prefix of one cluster, to read from."""

    def __init__(self, settings: EtcdSettings, patience: Patience = Patience()) -> None:  # noqa: B008  frozen
        self._settings = settings
        self._prefix = f"{settings.prefix.rstrip('/')}/".encode()
        self._patience = patience

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` what stands under the prefix, then what changes. Raises EtcdError when that breaks."""
        async with client_of(self._settings, self._patience) as client:
            while True:
                try:
                    await self._once(client, sink)
                except CompactedError:  # more was changed since the listing than etcd remembers
                    await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311  many may have to list again

    async def _once(self, client: EtcdClient, sink: Sink) -> NoReturn:
        listing = await client.list(self._prefix)
        sink.replace({_text(pair.key): pair.value for pair in listing.pairs})
        sink.published()
        async with client.watch(self._prefix, listing.revision + 1) as batches:
            async for changes in batches:
                for change in changes:
                    if change.value is None:
                        sink.delete(_text(change.key))
                    else:
                        sink.put(_text(change.key), change.value)
                sink.published()
        raise AssertionError("a watch ends by an error only")


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
