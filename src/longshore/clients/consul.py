"""A thin client of Consul: one agent, asked over HTTP or its unix socket. It knows nothing of what is stored.

    async with ConsulClient("http://127.0.0.1:8500") as client:
        async for body in client.follow("health/state/any"):
            ...                                              # all of it, whenever any of it is different

Every failure is a ConsulError. Only answers that a leader vouches for are given: Consul's default consistency.
Source of protocol facts: Consul's manual, "Blocking Queries" and "API", and trying (docs/reference/consul.md).
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from longshore.clients.consul_faults import ConsulError, no_leader, not_consul, refused, unreachable
from longshore.clients.faults import TlsFault
from longshore.clients.http_faults import FOREIGN
from longshore.clients.tls import TlsFiles, client_context

NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    answer: float = 10.0  # for an answer; without a leader Consul takes 7 s to say so
    connect: float = 2.0
    listing: float = 30.0  # for an answer that may be large
    hold: float = 60.0  # longest time that Consul holds an answer back while nothing changes
    quiet: float = 5.0  # between questions whether there is a leader
    rest: float = 0.5  # longest rest after answers in which nothing is different


class Answer(NamedTuple):
    """What stands there, and Consul's index of it: it grows whenever something may have changed."""

    at: int
    body: bytes


class ConsulClient:
    """One agent. `address` is http://, https:// or unix:///path. `token` is asked for each time: it may change."""

    def __init__(
        self,
        address: str,
        *,
        token: Callable[[], str] | None = None,
        tls: TlsFiles | None = None,
        datacenter: str = "",
        patience: Patience = Patience(),
    ) -> None:
        self.address = address
        self._socket = address.removeprefix("unix://") if address.startswith("unix://") else ""
        self._base = "http://consul" if self._socket else address.rstrip("/")
        self._token = token
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._there = {"dc": datacenter} if datacenter else {}
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<ConsulClient {self.address}>"

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(self._socket, limit=0) if self._socket else aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    @property
    def has_token(self) -> bool:
        """Whether a token is sent."""
        return self._token is not None

    async def get(self, path: str, query: Mapping[str, str] = NONE, index: int = 0) -> Answer:
        """Ask for what the servers know; with an `index` only once it is another (or after `Patience.hold`)."""
        held = {"index": str(index), "wait": f"{self._patience.hold:g}s"} if index else {}
        longest = self._patience.listing + (self._patience.hold * 17 / 16 if index else 0)  # Consul adds up to 1/16
        status, headers, body = await self._send("GET", path, {**query, **self._there, **held}, longest)
        if status == 404 and path.startswith("kv/") and "X-Consul-Index" in headers:
            body = b"[]"
        elif status != 200:
            raise refused(status, body, self.address, path)
        if headers.get("X-Consul-KnownLeader") == "false":
            raise no_leader(self.address)
        try:
            return Answer(int(headers["X-Consul-Index"]), body)
        except (KeyError, ValueError) as error:
            raise not_consul(self.address, path, body) from error

    async def follow(self, path: str, query: Mapping[str, str] = NONE, *, every: bool = False) -> AsyncIterator[bytes]:
        """Give what stands there at once, and again whenever it is different.

        An index that did not change means that the time was over; one that went back (a restored snapshot, a removed
        prefix) that it must not be used. A changed one may be about something else: many answers are the same. With
        `every` those are given too.
        """
        index, last, same = 0, b"", 0
        while True:
            answer = await self.get(path, query, index)
            moved, index = answer.at != index, answer.at if answer.at >= index else 0
            same = same + 1 if moved and answer.body == last else 0
            if answer.body != last or (every and moved):
                last = answer.body
                yield last
            if same:
                await asyncio.sleep(min(self._patience.rest, 0.02 * 2.0 ** min(same, 10)) * random.uniform(0.5, 1.0))  # noqa: S311

    async def watch_leader(self) -> NoReturn:
        """Raise a ConsulError as soon as there is no leader: a query that is held back does not tell."""
        while True:
            await asyncio.sleep(self._patience.quiet)
            if not self.read("status/leader", await self.ask("GET", "status/leader", self._there)):
                raise no_leader(self.address)

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = NONE,
        document: Any = None,
        timeout: float = 0.0,
    ) -> bytes:
        """Ask the agent itself, or tell it something."""
        body = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
        status, _, answer = await self._send(method, path, query, timeout or self._patience.answer, body)
        if status != 200:
            raise refused(status, answer, self.address, path)
        return answer

    async def services(self, words: str = "") -> dict[str, dict[str, Any]]:
        """Give the services of this agent, by ID. `words` is a filter in Consul's language."""
        return self._objects("agent/services", await self._agent("agent/services", words))

    async def checks(self, words: str = "") -> dict[str, dict[str, Any]]:
        """Give the checks of this agent, by ID."""
        return self._objects("agent/checks", await self._agent("agent/checks", words))

    async def is_free(self, service: str) -> bool:
        """Whether this agent surely has no service of this ID (a question for one is cheaper than for all)."""
        status, _, body = await self._send("GET", f"agent/service/{service}", NONE, self._patience.answer)
        return status == 404 and b"nknown service" in body

    async def register(self, body: Mapping[str, Any]) -> None:
        """Register a service at this agent, or replace it with its checks."""
        await self.ask("PUT", "agent/service/register", {"replace-existing-checks": "true"}, body)

    async def deregister(self, service: str) -> None:
        """Remove a service and its checks from this agent; an unknown one is no error."""
        await self.ask("PUT", f"agent/service/deregister/{service}")

    async def renew(self, check: str, timeout: float = 0.0) -> None:
        """Say that what a TTL check watches over is alive. Raises CheckGoneError."""
        await self.ask("PUT", f"agent/check/update/{check}", document={"Status": "passing"}, timeout=timeout)

    async def fail(self, check: str, why: str) -> None:
        """Say that what a TTL check watches over must get no traffic. Raises CheckGoneError."""
        await self.ask("PUT", f"agent/check/update/{check}", document={"Status": "critical", "Output": why})

    async def put(self, key: str, value: bytes, cas: int | None = None) -> bool:
        """Store a value; with `cas` only if that is its ModifyIndex (0: there is none). Tells whether it was stored."""
        return await self._change("PUT", key, cas, value)

    async def delete(self, key: str, cas: int | None = None) -> bool:
        """Remove a key; with `cas` only if that is its ModifyIndex. Tells whether it is gone."""
        return await self._change("DELETE", key, cas)

    def read(self, path: str, body: bytes) -> Any:
        """Read an answer, which may be of something else than Consul."""
        try:
            return json.loads(body)
        except ValueError as error:
            raise not_consul(self.address, path, body) from error

    async def _change(self, method: str, key: str, cas: int | None, value: bytes | None = None) -> bool:
        query = self._there | ({} if cas is None else {"cas": str(cas)})
        return (await self.ask(method, f"kv/{key}", query, value)).strip() == b"true"

    async def _agent(self, path: str, words: str) -> bytes:
        return await self.ask("GET", path, {"filter": words} if words else NONE)

    def _objects(self, path: str, body: bytes) -> dict[str, dict[str, Any]]:
        found = self.read(path, body)
        if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
            raise not_consul(self.address, path, body)
        return found

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], timeout: float, body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert self._session is not None, "use it as `async with ConsulClient(…)`"
        headers = {"X-Consul-Token": self._token()} if self._token else {}
        words = "&".join(f"{quote(key)}={quote(value, safe='')}" for key, value in query.items())
        try:
            async with asyncio.timeout(timeout):
                async with self._session.request(
                    method,
                    URL(f"{self._base}/v1/{quote(path)}?{words}".rstrip("?"), encoded=True),
                    data=body,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect),
                    allow_redirects=False,
                    ssl=self._tls_context() if self._base.startswith("https:") else True,
                ) as response:
                    return response.status, response.headers, await response.read()
        except FOREIGN as error:
            self._context = None  # certificates may have been renewed
            raise unreachable(error, self.address, self._tls) from error

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = client_context(self._tls or TlsFiles())
            except TlsFault as fault:
                raise ConsulError(fault.what, fault.hint) from fault
        return self._context
