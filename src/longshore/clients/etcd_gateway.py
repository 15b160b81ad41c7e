"""The way to an etcd cluster: requests to its JSON gateway, at one of several endpoints, with a token where one is due.

One endpoint is used until it fails, then the next. Every request tells that it wants a member *with a leader*: without
that, one that is cut off from its cluster answers a write after 7 s and says nothing at all on a watch.

Source of protocol facts: etcd 3.4 and 3.5, api_grpc_gateway.md, and trying (tests/system/test_etcd_client.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from longshore.clients.etcd_faults import (
    DeniedError,
    EtcdError,
    LoginError,
    NoLoginError,
    nobody,
    not_etcd,
    refused,
    said,
    unreachable,
)
from longshore.clients.etcd_wire import Document
from longshore.clients.faults import TlsFault
from longshore.clients.http_faults import FOREIGN
from longshore.clients.tls import TlsFiles, client_context

LONGEST_LINE = 2**24
"""Bytes that may wait to be read; a line may have twice as many. etcd cuts a batch of changes into pieces of 2 MB."""

LARGE = 2**20
"""Bytes; a larger body is sent piece by piece."""

HEADERS = {"Content-Type": "application/json", "Grpc-Metadata-hasleader": "true"}


@dataclass(frozen=True, slots=True)
class Login:
    """A user; the password is asked for at each login, so that it can change. It may raise a Fault."""

    user: str
    password: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    answer: float = 3.0  # for one answer of one endpoint; a cluster elects a leader in 1 to 2 s
    connect: float = 2.0
    listing: float = 30.0  # for an answer that may be large
    quiet: float = 5.0  # between signs of life that a member we watch is asked for


class Gateway:
    """Requests to a cluster. `endpoints` are http:// or https:// URLs; the first one to be used is drawn by lot."""

    def __init__(
        self,
        endpoints: Sequence[str],
        login: Login | None = None,
        tls: TlsFiles | None = None,
        patience: Patience = Patience(),
    ) -> None:
        self.endpoints = tuple(endpoint.rstrip("/") for endpoint in endpoints)
        self.patience = patience
        self._current = random.randrange(len(self.endpoints))  # noqa: S311  spreads clients, keeps no secret
        self._login = login
        self._token: str | None = None if login else ""  # None: to be asked for; "": there is none
        self._logging_in = asyncio.Lock()
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    @property
    def endpoint(self) -> str:
        """The endpoint in use."""
        return self.endpoints[self._current]

    def leave(self, endpoint: str) -> None:
        """Use the next endpoint from now on, unless that was done already."""
        if endpoint == self.endpoint:
            self._current = (self._current + 1) % len(self.endpoints)
        self._context = None  # certificates may have been renewed

    async def ask(self, path: str, document: Document, *, at: str = "", timeout: float = 0.0) -> Document:
        """POST to /v3/`path` and give the answer. Raises EtcdError when no endpoint can do it, or `at` cannot.

        A request may be carried out although its answer is lost, and is then repeated: ask only for what may be.
        """
        faults = list[EtcdError]()
        for _ in self.endpoints:
            endpoint = at or self.endpoint
            try:
                return await self._with_token(endpoint, path, document, timeout or self.patience.answer)
            except EtcdError as error:
                if not error.elsewhere or at:
                    raise
                faults.append(error)
                self.leave(endpoint)
        raise nobody(faults)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, document: Document, alive: str, question: Document) -> AsyncIterator[Stream]:
        """POST, and give what is answered line by line, until the caller leaves.

        Meanwhile `question` is asked at `alive` of the same member now and then; without an answer the stream breaks.
        """
        endpoint = self.endpoint
        signs: asyncio.Task[None] | None = None
        try:
            token = await self._token_of(endpoint)
            async with await self._open(endpoint, path, document, token) as response:
                if response.status != 200:
                    raise refused(response.status, await self._start(response, endpoint), endpoint, path, self._user)
                stream = Stream(self, response, endpoint, path)
                signs = asyncio.create_task(self._signs_of_life(stream, alive, question))
                yield stream
        except LoginError:
            self._token = None
            raise
        except EtcdError as error:
            if error.elsewhere:
                self.leave(endpoint)
            raise
        finally:
            if signs is not None:
                signs.cancel()
                await asyncio.gather(signs, return_exceptions=True)

    async def _signs_of_life(self, stream: Stream, path: str, question: Document) -> None:
        try:
            while True:
                await asyncio.sleep(self.patience.quiet)
                await self.ask(path, question, at=stream.endpoint)
        except EtcdError as error:
            stream.break_off(error)

    @property
    def _user(self) -> str:
        return self._login.user if self._login else ""

    async def _with_token(self, endpoint: str, path: str, document: Document, timeout: float) -> Document:
        """Ask one endpoint; log in (again) when it wants that."""
        token = await self._token_of(endpoint)
        try:
            return await self._post(endpoint, path, document, token, timeout)
        except (LoginError, DeniedError) as error:
            # etcd with client certificates says "permission denied", not "user name is empty", to whom has no token
            if self._login is None or (isinstance(error, DeniedError) and token):
                raise
            if self._token == token:  # nobody renewed it meanwhile
                self._token = None
            renewed = await self._token_of(endpoint)
            if isinstance(error, DeniedError) and not renewed:
                raise
        return await self._post(endpoint, path, document, renewed, timeout)

    async def _token_of(self, endpoint: str) -> str:
        """Give the token; log in first if there is none. A token is good for the whole cluster."""
        async with self._logging_in:
            if self._token is None:
                assert self._login is not None
                credentials = {"name": self._login.user, "password": self._login.password()}
                try:
                    answer = await self._post(endpoint, "auth/authenticate", credentials, "", self.patience.answer)
                    self._token = str(answer.get("token", ""))
                except NoLoginError:
                    self._token = ""  # authentication is off; 3.4 refuses any token then
            return self._token

    async def _post(self, endpoint: str, path: str, document: Document, token: str, timeout: float) -> Document:
        try:
            async with asyncio.timeout(timeout):
                async with await self._send(endpoint, path, document, token) as response:
                    body = await response.read()
        except FOREIGN as error:
            raise self.explain(error, endpoint) from error
        if response.status != 200:
            raise refused(response.status, body, endpoint, path, self._user)
        return self.document(body, endpoint, path)

    async def _open(self, endpoint: str, path: str, document: Document, token: str) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self.patience.answer):
                return await self._send(endpoint, path, document, token)
        except FOREIGN as error:
            raise self.explain(error, endpoint) from error

    async def _send(self, endpoint: str, path: str, document: Document, token: str) -> aiohttp.ClientResponse:
        assert self._session is not None, "use it as `async with Gateway(…)`"
        body = json.dumps(document).encode()
        return await self._session.post(
            f"{endpoint}/v3/{path}",
            data=body if len(body) < LARGE else io.BytesIO(body),
            headers={**HEADERS, "Authorization": token} if token else HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.patience.connect),
            read_bufsize=LONGEST_LINE,
            allow_redirects=False,
            ssl=self._tls_context() if endpoint.startswith("https:") else True,
        )

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = client_context(self._tls or TlsFiles())
            except TlsFault as fault:
                raise EtcdError(fault.what, fault.hint) from fault
        return self._context

    async def _start(self, response: aiohttp.ClientResponse, endpoint: str) -> bytes:
        try:
            async with asyncio.timeout(self.patience.answer):
                return await response.content.read(4096)
        except FOREIGN as error:
            raise self.explain(error, endpoint) from error

    def explain(self, error: Exception, endpoint: str) -> EtcdError:
        """Translate a foreign exception of this way to etcd."""
        return unreachable(error, endpoint, self._tls)

    def said(self, error: Any, endpoint: str, path: str) -> EtcdError:
        """Translate an error that etcd tells in the midst of an answer."""
        return said(error, endpoint, path, self._user)

    def document(self, body: bytes, endpoint: str, path: str) -> Document:
        """Read an answer, or a line of a stream: `result` is its content, an `error` is raised."""
        try:
            document: Any = json.loads(body)
        except ValueError as error:
            raise not_etcd(endpoint, path, body) from error
        if not isinstance(document, dict):
            raise not_etcd(endpoint, path, body)
        if "error" in document:
            raise self.said(document["error"], endpoint, path)
        result = document.get("result", document)
        if not isinstance(result, dict):
            raise not_etcd(endpoint, path, body)
        return result


class Stream:
    """The lines of an answer that goes on."""

    def __init__(self, gateway: Gateway, response: aiohttp.ClientResponse, endpoint: str, path: str) -> None:
        self.endpoint = endpoint
        self._gateway = gateway
        self._response = response
        self._path = path
        self._broken: EtcdError | None = None

    async def __aiter__(self) -> AsyncIterator[Document]:
        try:
            async for line in self._response.content:
                if line.strip():
                    yield self._gateway.document(line, self.endpoint, self._path)
        except FOREIGN as error:
            raise self._broken or self._gateway.explain(error, self.endpoint) from error

    def break_off(self, error: EtcdError) -> None:
        """End it; the reader gets this error."""
        self._broken = error
        self._response.close()

    def said(self, error: Any) -> EtcdError:
        """Translate an error that a line tells."""
        return self._gateway.said(error, self.endpoint, self._path)
