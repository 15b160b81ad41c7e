"""A thin client of Marathon: the tasks of an app, and that something changed. It knows nothing of what they are for.

    async with MarathonClient("http://marathon:8080") as client:
        tasks = await client.tasks("/prod/web")              # None: there is no such app
        async for app in client.changes():
            ...                                              # "/prod/web": ask again

Every failure is a MarathonError. Source of protocol facts: Marathon's REST API reference
(https://mesosphere.github.io/marathon/api-console/index.html, `/v2/apps/{app_id}/tasks` and `/v2/events`) and its page
"Event Bus" (https://mesosphere.github.io/marathon/docs/event-bus.html): events come in no certain order and are good
for knowing that one should ask again.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from longshore.clients.faults import TlsFault, first_line
from longshore.clients.http_faults import FOREIGN
from longshore.clients.marathon_faults import MarathonError, not_marathon, refused, unreachable
from longshore.clients.tls import TlsFiles, client_context
from longshore.clients.whole import whole

TASKS = "/v2/apps/{app}/tasks"
RUNNING = "TASK_RUNNING"
TELLING = (
    "status_update_event",
    "health_status_changed_event",
    "instance_changed_event",
    "instance_health_changed_event",
    "unhealthy_task_kill_event",
    "app_terminated_event",
)
"""Events that are about tasks. Marathon has sent only those asked for since 1.3.7."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    connect: float = 3.0
    answer: float = 15.0
    silence: float = 60.0  # a stream of events without a sign of life: Marathon sends an empty line every few seconds


@dataclass(frozen=True, slots=True)
class Task:
    """A task. Only the types are checked."""

    id: str
    host: str
    ports: tuple[int, ...] = ()
    state: str = ""  # "" in answers of versions before 1.1
    started: str = ""  # when, as Marathon writes it; "" if it has not
    alive: tuple[bool, ...] = ()  # what each health check says of it
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password."""

    user: str
    password: Callable[[], str]  # asked for each time: it may change


class MarathonClient:
    """One Marathon, at `url`. `path` is where the tasks of `{app}` are told."""

    def __init__(
        self,
        url: str,
        path: str = TASKS,
        *,
        login: Login | None = None,
        tls: TlsFiles | None = None,
        patience: Patience = Patience(),
    ) -> None:
        self.url, self._path, self._login, self._tls, self._patience = url.rstrip("/"), path, login, tls, patience
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<MarathonClient {self.url}>"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=2**20,
            headers={"Accept-Encoding": "identity", "User-Agent": "longshore"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def tasks(self, app: str) -> list[Task] | None:
        """Give the tasks of an app; None if Marathon knows no such app."""
        path = self._path.replace("{app}", quote(app.strip("/"), safe="/-_.~"))
        try:
            async with asyncio.timeout(self._patience.answer), self._get(path, "application/json") as response:
                body = await whole(response)
        except FOREIGN as error:
            raise self._broken(error) from error
        if response.status == 404 and _message(body):
            return None
        if response.status != 200:
            raise refused(response.status, _message(body) or body, self.url, path, user=self._user)
        try:
            return [_task(each) for each in json.loads(body)["tasks"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise not_marathon(self.url, path, body) from error

    async def changes(self) -> AsyncIterator[str]:
        """Give the app of each event about a task; "" at the start, and when an event does not say."""
        words = "&".join(f"event_type={name}" for name in TELLING)
        try:
            async with asyncio.timeout(self._patience.answer):
                response = await self._get(f"/v2/events?{words}", "text/event-stream")
            async with response:
                if response.status != 200 or "event-stream" not in response.headers.get("Content-Type", ""):
                    body = await whole(response, 2**16)
                    raise refused(response.status, _message(body) or body, self.url, "/v2/events", user=self._user)
                yield ""
                async for name, data in self._events(response):
                    if name in TELLING:
                        yield _app(data)
        except FOREIGN as error:
            raise self._broken(error) from error

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, bytes]]:
        name, data = "", b""
        while True:
            async with asyncio.timeout(self._patience.silence):
                line = await response.content.readline()
            if not line:
                raise EOFError
            field, _, value = line.strip().partition(b":")
            if not field and not value:
                if name or data:
                    yield name, data
                name, data = "", b""
            elif field == b"event":
                name = value.strip().decode(errors="replace")
            elif field == b"data" and len(data) < 2**20:
                data += value.strip()

    @property
    def _user(self) -> str:
        return self._login.user if self._login else ""

    @property
    def _authorization(self) -> dict[str, str]:
        """HTTP Basic, in UTF-8 (RFC 7617)."""
        if self._login is None:
            return {}
        pair = f"{self._login.user}:{self._login.password()}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _get(self, path: str, accept: str) -> Any:
        assert self._session is not None, "use it as `async with MarathonClient(…)`"
        return self._session.get(
            URL(self.url + path, encoded=True),
            headers={"Accept": accept} | self._authorization,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect),
            allow_redirects=False,
            ssl=self._tls_context() if self.url.startswith("https:") else True,
        )

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = client_context(self._tls or TlsFiles())
            except TlsFault as fault:
                raise MarathonError(fault.what, fault.hint) from fault
        return self._context

    def _broken(self, error: BaseException) -> MarathonError:
        self._context = None  # certificates may have been renewed
        return unreachable(error, self.url, self._tls)


def _task(found: Any) -> Task:
    ports = found.get("ports") or ()
    if not all(type(port) is int for port in ports):
        raise TypeError("ports are numbers")
    checks = found.get("healthCheckResults") or ()
    identity, host = found["id"], found["host"]
    if not isinstance(identity, str) or not isinstance(host, str):
        raise TypeError("a task has an id and a host")
    return Task(
        identity,
        host,
        tuple(ports),
        str(found.get("state") or ""),
        str(found.get("startedAt") or ""),
        tuple(check["alive"] is True for check in checks if isinstance(check, dict) and "alive" in check),
        str(found.get("zone") or ""),
    )


def _message(body: bytes) -> str:
    """What Marathon says of a failure: {"message": "App '/prod/web' does not exist"}."""
    try:
        found = json.loads(body)
        return first_line(str(found["message"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _app(data: bytes) -> str:
    try:
        found = json.loads(data)
        said = found.get("appId") or found.get("runSpecId") or ""
    except (ValueError, AttributeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""
