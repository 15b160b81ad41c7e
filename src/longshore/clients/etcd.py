"""A thin client of etcd v3: list, watch, write, and keep leases. It knows nothing of what is stored.

    async with EtcdClient(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]) as client:
        listing = await client.list(b"/services/")
        async with client.watch(b"/services/", listing.revision + 1) as batches:
            async for changes in batches: ...

Every failure is an EtcdError. How requests find their way, and who logs in, is `etcd_gateway`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from longshore.clients import etcd_wire as wire
from longshore.clients.etcd_faults import CompactedError, EtcdError, LeaseGoneError, not_etcd
from longshore.clients.etcd_gateway import Gateway, Login, Patience, Stream
from longshore.clients.etcd_wire import Change, Document, Lease, Listing, Pair
from longshore.clients.tls import TlsFiles

__all__ = ["EtcdClient", "Login", "Patience"]

T = TypeVar("T")

PAGE = 5000
"""Keys in one answer: neither side holds a whole large prefix in one document."""

MOST_OPERATIONS = 100
"""In one transaction; etcd takes 128 (--max-txn-ops)."""


class EtcdClient:
    """One cluster. `endpoints` are URLs of any number of its members."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        login: Login | None = None,
        tls: TlsFiles | None = None,
        patience: Patience = Patience(),  # noqa: B008  frozen
    ) -> None:
        self._gateway = Gateway(endpoints, login, tls, patience)
        self._patience = patience

    def __repr__(self) -> str:
        return f"<EtcdClient {' '.join(self._gateway.endpoints)} now {self.endpoint}>"

    async def __aenter__(self) -> Self:
        await self._gateway.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gateway.__aexit__(kind, error, trace)

    @property
    def endpoint(self) -> str:
        """The endpoint in use."""
        return self._gateway.endpoint

    async def list(self, prefix: bytes) -> Listing:
        """Give everything under a prefix at one revision, however many keys. CompactedError: it took too long."""
        asked: Document = {**wire.span(prefix), "limit": str(PAGE)}
        found = list[Pair]()
        at = 0
        while True:
            answer = await self._ask("kv/range", asked, timeout=self._patience.listing)
            found += self._read("kv/range", wire.pairs, answer)
            at = at or self._read("kv/range", wire.revision, answer)
            if not answer.get("more") or not found:
                return Listing(at, tuple(found))
            asked |= {"key": wire.text(found[-1].key + b"\0"), "revision": str(at)}

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, Pair]:
        """Give those of the keys that there are."""
        found = dict[bytes, Pair]()
        for first in range(0, len(keys), MOST_OPERATIONS):
            some = keys[first : first + MOST_OPERATIONS]
            ranges = [{"request_range": {"key": wire.text(key)}} for key in some]
            answer = await self._ask("kv/txn", {"success": ranges}, timeout=self._patience.listing)
            found |= {pair.key: pair for pair in self._read("kv/txn", wire.ranges, answer)}
        return found

    async def put(self, key: bytes, value: bytes, lease: int = 0) -> None:
        """Store a value, whatever stands there. LeaseGoneError: there is no such lease."""
        await self._ask("kv/put", wire.put(key, value, lease))

    async def put_if(self, condition: Document, key: bytes, value: bytes, lease: int) -> Pair | None:
        """Store a value if `condition` (one of `etcd_wire`'s) holds; None if so, else what stands at the key.

        A pair with revision 0 says that nothing stands there.
        """
        document = {
            "compare": [condition],
            "success": [{"request_put": wire.put(key, value, lease)}],
            "failure": [{"request_range": {"key": wire.text(key)}}],
        }
        answer = await self._ask("kv/txn", document)
        if answer.get("succeeded"):
            return None
        found = self._read("kv/txn", wire.ranges, answer)
        return found[0] if found else Pair(key, b"")

    async def delete(self, key: bytes) -> bool:
        """Remove a key; tell whether there was one."""
        answer = await self._ask("kv/deleterange", {"key": wire.text(key)})
        return int(answer.get("deleted", 0)) > 0

    async def delete_if(self, condition: Document, key: bytes) -> bool:
        """Remove a key if `condition` holds; tell whether it did."""
        operation = {"request_delete_range": {"key": wire.text(key)}}
        answer = await self._ask("kv/txn", {"compare": [condition], "success": [operation]})
        return bool(answer.get("succeeded"))

    async def grant(self, ttl: int, lease: int = 0) -> Lease:
        """Make a lease, of this id if one is given. LeaseExistsError: there is one. etcd may lengthen the TTL."""
        answer = await self._ask("lease/grant", {"TTL": str(ttl), "ID": str(lease)})
        return self._read("lease/grant", wire.lease, answer)

    async def keep_alive(self, lease: int) -> int:
        """Renew a lease; give the seconds it lives from now. Raises LeaseGoneError.

        etcd answers for a lease that is gone with a success that says no TTL.
        """
        answer = await self._ask("lease/keepalive", {"ID": str(lease)})
        ttl = self._read("lease/keepalive", wire.lease, answer).ttl
        if not ttl:
            raise LeaseGoneError(f"etcd at {self.endpoint}: the lease has run out")
        return ttl

    async def lease(self, lease: int) -> Lease:
        """Tell what is left of a lease, and which keys stand under it. `ttl` 0: there is none."""
        try:
            answer = await self._ask("lease/timetolive", {"ID": str(lease), "keys": True})
        except LeaseGoneError:
            return Lease(lease, 0)
        return self._read("lease/timetolive", wire.lease, answer)

    async def revoke(self, lease: int) -> None:
        """End a lease now, and with it every key under it. One that is gone already is no error."""
        with contextlib.suppress(LeaseGoneError):
            await self._ask("lease/revoke", {"ID": str(lease)})

    @contextlib.asynccontextmanager
    async def watch(self, prefix: bytes, revision: int) -> AsyncIterator[AsyncIterator[tuple[Change, ...]]]:
        """Follow what changes under a prefix from `revision` on, in batches. Raises EtcdError whenever it breaks.

        CompactedError: etcd has forgotten that revision, list again. While etcd is quiet the member is asked for signs
        of life: a machine that vanished leaves the stream open and silent.
        """
        asked = {**wire.span(prefix), "start_revision": str(revision), "fragment": True}
        sign_of_life = {**wire.span(prefix), "limit": "1", "keys_only": True, "serializable": True}
        async with self._gateway.stream("watch", {"create_request": asked}, "kv/range", sign_of_life) as stream:
            yield self._batches(stream)

    async def _batches(self, stream: Stream) -> AsyncIterator[tuple[Change, ...]]:
        async for line in stream:
            if line.get("canceled"):
                compacted = int(line.get("compact_revision", 0))
                if compacted:
                    raise CompactedError(
                        f"etcd at {stream.endpoint} has forgotten what was before revision {compacted}"
                    )
                raise stream.said(line.get("cancel_reason", "the watch was ended"))
            changes = self._read("watch", wire.changes, line)
            if changes:
                yield changes
        raise EtcdError(f"etcd at {stream.endpoint} ended the watch", "is it restarting?", elsewhere=True)

    async def _ask(self, path: str, document: Document, timeout: float = 0.0) -> Document:
        return await self._gateway.ask(path, document, timeout=timeout)

    def _read(self, path: str, reading: Callable[[Document], T], answer: Document) -> T:
        """Read an answer, which may be of something else than etcd."""
        try:
            return reading(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise not_etcd(self.endpoint, path, f"an answer without {error}") from error
