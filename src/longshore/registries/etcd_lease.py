"""One lease for all that a registrar keeps in an etcd cluster, found again by its id after a restart.

The id is made of what identifies the registrar. So the next run finds the lease that an earlier one left, and with it
exactly the keys that are ours: in one request, in any layout, however many keys of others there are. Keys that appear
there later and that we did not write are `strange`: another registrar goes by our name, on a copy of this machine.
"""

from __future__ import annotations

import hashlib
import math
import time

from longshore.clients.etcd import EtcdClient
from longshore.clients.etcd_faults import LeaseExistsError, LeaseGoneError


def lease_id(prefix: str, owner: str, ttl: int) -> int:
    """Give a lease's number, 1 to 2**63 - 1. A lease cannot change its TTL, so another TTL is another lease."""
    digest = hashlib.sha256(f"longshore\0{prefix}\0{owner}\0{ttl}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**63 - 1) + 1


class HeldLease:
    """A lease, and the mirror of what stands under it. `ttl` is in seconds; etcd knows only whole ones."""

    def __init__(self, prefix: str, owner: str, ttl: float) -> None:
        self.ttl = max(1, math.ceil(ttl))
        self.id = lease_id(prefix, owner, self.ttl)
        self.held = False  # as far as we know; False: to be taken before anything is written
        self.there: dict[bytes, bytes] = {}  # key -> value
        self.ours = set[bytes]()  # keys that we wrote, or found when we first took it
        self.lost = 0  # how often it ran out while we held it
        self._taken = False  # whether we ever held it
        self._until = 0.0  # monotonic

    def __repr__(self) -> str:
        return f"<HeldLease {self.id:x} {'held' if self.held else 'not held'}, {len(self.there)} keys>"

    @property
    def expired(self) -> float:
        """Seconds since it must have run out, by our clock; 0 while it lives."""
        return max(0.0, time.monotonic() - self._until)

    @property
    def strange(self) -> set[bytes]:
        """The keys that somebody else keeps under our lease."""
        return self.there.keys() - self.ours

    async def take(self, client: EtcdClient) -> None:
        """Adopt the lease with what stands under it, or make it. Raises EtcdError."""
        while not self.held:
            asked = time.monotonic()
            try:
                await self.renew(client)
                await self.compare(client)
            except LeaseGoneError:
                try:
                    granted = await client.grant(self.ttl, self.id)
                except LeaseExistsError:  # of a request whose answer was lost
                    continue
                self.there = {}
                self.ttl, self._until = granted.ttl, asked + granted.ttl
            self.held = self._taken = True

    async def renew(self, client: EtcdClient) -> None:
        """Let it live for another TTL. Raises EtcdError, LeaseGoneError when there is none."""
        asked = time.monotonic()
        try:
            self.ttl = await client.keep_alive(self.id)
        except LeaseGoneError:
            self.gone()
            raise
        self._until = asked + self.ttl

    async def compare(self, client: EtcdClient) -> None:
        """Correct the mirror: somebody may have removed or overwritten what stood there. Raises EtcdError."""
        lease = await client.lease(self.id)
        if not lease.ttl:
            self.gone()
            raise LeaseGoneError(f"etcd at {client.endpoint}: the lease has run out")
        unknown = await client.get([key for key in lease.keys if key not in self.there])
        self.there = {key: self.there[key] for key in lease.keys if key in self.there}
        self.there |= {key: pair.value for key, pair in unknown.items() if pair.lease == self.id}
        self.ours = self.ours.intersection(lease.keys) if self._taken else set(self.there)

    def gone(self) -> None:
        """Know that it ran out, and with it all that stood there."""
        self.lost += self.held
        self.held = False
        self.there = {}
        self._until = min(self._until, time.monotonic())
