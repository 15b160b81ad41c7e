"""Taking single entries out of a registry by hand, whoever wrote them; and finding out who would write them again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from longshore.clients.etcd_connect import EtcdSettings, client_of
from longshore.clients.zookeeper_connect import ZooKeeperSettings, session_of
from longshore.clients.zookeeper_faults import ZooKeeperRefusedError

SESSION = 10.0  # seconds that a session with ZooKeeper may be without a connection


class Remover(Protocol):
    """One registry, to remove from. Keys are as the registry's adapter tells them. All methods raise RegistryError."""

    async def kept(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Tell which of these keys somebody keeps alive, and how: "under lease 1a2b, 8 s left"."""

    async def remove(self, keys: Sequence[str]) -> list[str]:
        """Remove them; give those that were there."""


class EtcdRemover:
    """Removes keys of an etcd cluster."""

    def __init__(self, settings: EtcdSettings) -> None:
        self._settings = settings

    async def kept(self, keys: Sequence[str]) -> Mapping[str, str]:
        """A key under a lease is renewed by somebody, or goes by itself."""
        async with client_of(self._settings) as client:
            found = await client.get([key.encode() for key in keys])
            leases = {pair.lease for pair in found.values() if pair.lease}
            left = {lease: (await client.lease(lease)).ttl for lease in leases}
        return {
            key.decode(): f"under a lease with {left[pair.lease]} s left"
            for key, pair in found.items()
            if pair.lease and left[pair.lease]
        }

    async def remove(self, keys: Sequence[str]) -> list[str]:
        """Delete them."""
        async with client_of(self._settings) as client:
            return [key for key in keys if await client.delete(key.encode())]


class ZooKeeperRemover:
    """Removes nodes of an ensemble."""

    def __init__(self, settings: ZooKeeperSettings) -> None:
        self._settings = settings

    async def kept(self, keys: Sequence[str]) -> Mapping[str, str]:
        """An ephemeral node belongs to a session that lives, or goes by itself."""
        async with session_of(self._settings, SESSION) as zookeeper:
            nodes = dict(zip(keys, await zookeeper.get_all(keys), strict=True))
        return {
            key: f"by the session {node.session:#x}"
            for key, node in nodes.items()
            if node is not None and not isinstance(node, ZooKeeperRefusedError) and node.session
        }

    async def remove(self, keys: Sequence[str]) -> list[str]:
        """Delete them."""
        async with session_of(self._settings, SESSION) as zookeeper:
            gone = await asyncio.gather(*(zookeeper.delete(key) for key in keys))
        return [key for key, was in zip(keys, gone, strict=True) if was]
