"""A thin client of the Docker Engine API: the few GETs that watching containers takes, and a door for the rare POST.

Use it as `async with DockerClient("unix:///var/run/docker.sock") as client:`; entering negotiates the version. Every
failure is a DockerError. A socket proxy that lets only GETs through is enough for all but `post`.

Source of protocol facts: Docker Engine API 1.41 to 1.51.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from longshore.clients import docker_events
from longshore.clients.docker_connect import machine, way_to
from longshore.clients.docker_events import Event
from longshore.clients.docker_faults import DockerError, not_an_engine, refused, too_new, too_old, unreachable
from longshore.clients.http1 import Http
from longshore.clients.http_faults import FOREIGN
from longshore.clients.tls import TlsFiles

OLDEST, NEWEST = (1, 41), (1, 51)
MOST = 2**20


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """What was agreed with the engine. `date` is its clock at that moment, Unix seconds (whole)."""

    api: tuple[int, int]
    min_api: tuple[int, int]
    engine: str
    date: float = 0.0


class DockerClient:
    """One engine. `host` is unix:///path, tcp://host:port (with `tls`: TLS) or ssh://user@host[:port][/socket]."""

    def __init__(self, host: str, *, tls: TlsFiles | None = None, ssh: str = "ssh", timeout: float = 15.0) -> None:
        self.host = host
        self.version = EngineVersion((0, 0), (0, 0), "")
        self._tls = tls
        self._ssh = ssh
        self._timeout = timeout
        self._stack = contextlib.AsyncExitStack()
        self._http: Http | None = None

    def __repr__(self) -> str:
        return f"<DockerClient {self.host} API {_dotted(self.version.api)}>"

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._http = await stack.enter_async_context(way_to(self.host, self._tls, self._ssh))
            self.version = await self._negotiate()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def ping(self) -> None:
        """Return when the engine answers anything at all; a proxy's refusal is a sign of life too."""
        await self._answer("/_ping")

    async def address(self) -> str:
        """Give the IP address of the machine the engine runs on, "" if it is this one."""
        return await machine(self.host, self._ssh)

    async def containers(self) -> list[str]:
        """Give the full ids of all containers that run, are paused or are restarting."""
        path = self._path("/containers/json")
        document = await self._json(path)
        try:
            return [str(entry["Id"]) for entry in document]
        except (TypeError, KeyError) as error:
            raise not_an_engine(self.host, path, json.dumps(document).encode()) from error

    async def networks(self) -> dict[str, str]:
        """Give the driver ("bridge", "macvlan", "overlay" …) of every network by its id."""
        path = self._path("/networks")
        document = await self._json(path)
        try:
            return {str(entry["Id"]): str(entry["Driver"]) for entry in document}
        except (TypeError, KeyError) as error:
            raise not_an_engine(self.host, path, json.dumps(document).encode()) from error

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """Give what the engine knows of a container, None if there is none. May take 0.2 s while one dies."""
        path = self._path(f"/containers/{container}/json")
        try:
            document = await self._json(path)
        except DockerError as error:
            if error.status == 404:
                return None
            raise
        if not isinstance(document, dict):
            raise not_an_engine(self.host, path, json.dumps(document).encode())
        return document

    @contextlib.asynccontextmanager
    async def events(self, since: float | str) -> AsyncIterator[AsyncIterator[Event]]:
        """Subscribe; inside the `async with` nothing is missed that happens after the engine's time `since`.

        `since` (Unix seconds) is not optional: the engine answers an instant *before* it has subscribed us, and only
        its replay of the last 256 events makes the subscription gapless. The iterator ends when the engine ends.
        """
        async with self.event_lines(since, docker_events.FILTERS) as lines:
            yield self._events(lines)

    @contextlib.asynccontextmanager
    async def event_lines(self, since: float | str, filters: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe as `events` does, to what `filters` (JSON) lets through, and give the lines as they come."""
        query = urlencode({"since": str(since), "filters": filters})
        path = self._path("/events")
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._timeout):
                    head, lines = await stack.enter_async_context(self._way.stream(f"{path}?{query}"))
                    said = b"" if head.status == 200 else await anext(lines, b"")
            except FOREIGN as error:
                raise unreachable(error, self.host, self._tls) from error
            if head.status != 200:
                raise refused(head.status, said, path, self.host)
            yield self._faults_translated(lines)

    async def post(self, path: str, document: object = None, into: bytearray | None = None) -> bytes:
        """Have something done that changes containers; `path` without the version, "/containers/ID/kill?signal=TERM".

        Gives the answer, of which only the first megabyte is kept; `into` gets it as it comes. It is asked once, in no
        case again, and how long it may take is the caller's business.
        """
        path = self._path(path)
        body = b"" if document is None else json.dumps(document).encode()
        kept = bytearray() if into is None else into
        try:
            async with self._way.post(path, body) as (head, pieces):
                async for piece in pieces:
                    kept += piece[: MOST - len(kept)]
        except FOREIGN as error:
            raise unreachable(error, self.host, self._tls) from error
        if not 200 <= head.status < 300:
            raise refused(head.status, bytes(kept), path, self.host, "POST")
        return bytes(kept)

    async def kill(self, container: str, signal: str) -> None:
        """Send a signal ("SIGTERM") to a container's first process."""
        try:
            async with asyncio.timeout(self._timeout):
                await self.post(f"/containers/{container}/kill?signal={signal}")
        except TimeoutError as error:
            raise unreachable(error, self.host, self._tls) from error

    async def get(self, path: str) -> Any:
        """Give the JSON document at `path` (without the version)."""
        return await self._json(self._path(path))

    async def _events(self, lines: AsyncIterator[bytes]) -> AsyncIterator[Event]:
        async for line in lines:
            try:
                event = docker_events.parse(line) if line.strip() else None
            except FOREIGN as error:
                raise unreachable(error, self.host, self._tls) from error
            if event is not None:
                yield event

    async def _faults_translated(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for line in lines:
                yield line
        except FOREIGN as error:
            raise unreachable(error, self.host, self._tls) from error

    async def _negotiate(self) -> EngineVersion:
        """Agree on the newest version both sides speak (GET /version without a version in its path)."""
        status, body, date = await self._answer("/version")
        if status != 200:
            raise refused(status, body, "/version", self.host)
        try:
            document = json.loads(body)
            newest = _numbers(document["ApiVersion"])
            oldest = _numbers(document.get("MinAPIVersion") or "1.12")
            engine = str(document.get("Version", "?"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise not_an_engine(self.host, "/version", body) from error
        if newest < OLDEST:
            raise too_old(self.host, engine, _dotted(newest), _dotted(OLDEST))
        if oldest > NEWEST:
            raise too_new(self.host, engine, _dotted(oldest), _dotted(NEWEST))
        return EngineVersion(min(newest, NEWEST), oldest, engine, _date(date))

    async def _json(self, path: str) -> Any:
        status, body, _ = await self._answer(path)
        if status != 200:
            raise refused(status, body, path, self.host)
        try:
            return json.loads(body)
        except ValueError as error:
            raise not_an_engine(self.host, path, body) from error

    async def _answer(self, path: str) -> tuple[int, bytes, str]:
        try:
            async with asyncio.timeout(self._timeout):
                head, body = await self._way.get(path)
        except FOREIGN as error:
            raise unreachable(error, self.host, self._tls) from error
        return head.status, body, head.fields.get("date", "")

    @property
    def _way(self) -> Http:
        assert self._http is not None, "use it as `async with DockerClient(…)`"
        return self._http

    def _path(self, path: str) -> str:
        return f"/v{_dotted(self.version.api)}{path}"


def _numbers(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"


def _date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
