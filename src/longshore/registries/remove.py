"""Taking single entries out of a registry by hand, whoever wrote them; and finding out who would write them again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from longshore.clients.consul_connect import ConsulSettings
from longshore.clients.consul_connect import client_of as client_of_consul
from longshore.clients.consul_faults import ConsulError
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


class RemovalSettings(ConsulSettings, Protocol):
    """What is read of a source `consul`."""

    @property
    def layout(self) -> str: ...  # noqa: D102  the name says it


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


class ConsulRemover:
    """Removes services of one agent, or keys of its cluster.

    A service belongs to the agent it was registered at: it is removed there, or written again by it.
    """

    def __init__(self, settings: RemovalSettings) -> None:
        self._settings = settings

    async def kept(self, keys: Sequence[str]) -> Mapping[str, str]:
        """A service whose TTL check passes is renewed by somebody."""
        if self._settings.layout == "consulkv":
            return {}
        async with client_of_consul(self._settings) as client:
            checks = (await client.checks()).values()
        alive = {check.get("ServiceID") for check in checks if check.get("Status") == "passing" and _is_ttl(check)}
        return {key: "by a TTL check that passes" for key in keys if self._parts(key)[1] in alive}

    async def remove(self, keys: Sequence[str]) -> list[str]:
        """Deregister them at this agent."""
        async with client_of_consul(self._settings) as client:
            if self._settings.layout == "consulkv":
                return [key for key in keys if await client.delete(key)]
            here = await client.services()
            for node, service in map(self._parts, keys):
                if service not in here:
                    what = f"{service} is registered at another agent than {self._settings.address}"
                    raise ConsulError(what, f"remove it with the agent of {node}")
            for key in keys:
                await client.deregister(self._parts(key)[1])
        return list(keys)

    def _parts(self, key: str) -> tuple[str, str]:
        """Node and service ID; in the catalog's keys the datacenter stands before them."""
        *_, node, service = key.split("/", 1 if self._settings.layout == "native" else 2)
        return node, service


def _is_ttl(check: Mapping[str, object]) -> bool:
    return str(check.get("Type") or "") == "ttl" or str(check.get("CheckID", "")).startswith("longshore:")
