"""The source `marathon`: the tasks of picked apps, as entries (`sources.registered` makes services of them).

Each app is asked for again and again. Where Marathon streams its events, one about an app of ours causes the next look
at once; without them (an old Marathon, a proxy that holds streams back, a missing right) looks are `interval` apart.
A failure of any app's answer breaks the round, and what was known stays; an app that Marathon does not know has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

from longshore.clients.marathon import RUNNING, Login, MarathonClient, Patience, Task
from longshore.clients.marathon_faults import MarathonError
from longshore.clients.tls import TlsSettings, files_of
from longshore.core import places
from longshore.core.entries import Broken, Entry, Status
from longshore.core.places import joined
from longshore.core.values import RefusedError, shown
from longshore.sources.registered import Sink, Value
from longshore.sources.together import together

NOBODY = "add one: `services: {web: {from: {source: …, app: /prod/web}}}`"
AT_ONCE = 8  # apps that are asked for together
PATIENCE = Patience()
DEAF = 10.0  # seconds until a stream of events that is not to be had is asked for again


class SourceSettings(Protocol):
    """What is read of a source `marathon` in the configuration."""

    @property
    def url(self) -> str: ...  # noqa: D102  the names say it
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def interval(self) -> float: ...  # noqa: D102
    @property
    def username(self) -> str | None: ...  # noqa: D102
    @property
    def password_file(self) -> Path | None: ...  # noqa: D102
    @property
    def tls(self) -> TlsSettings | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service is made of: one port of an app's tasks."""

    app: str
    index: int = 0
    service: str = ""  # for people


def tag(index: int) -> str:
    """The tag of an entry that is a task's port at an index."""
    return f"port {index}"


class MarathonAdapter:
    """One Marathon, to read from."""

    def __init__(
        self, settings: SourceSettings, asked: Collection[Asked], patience: Patience = PATIENCE, deaf: float = DEAF
    ) -> None:
        self._settings, self._asked, self._patience, self._deaf = settings, tuple(asked), patience, deaf
        self._apps = tuple(dict.fromkeys(each.app for each in asked))

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` which tasks there are, again and again. Raises MarathonError."""
        news = asyncio.Event()
        async with client_of(self._settings, self._patience) as client:
            await together(self._look(client, sink, news), self._hear(client, news))

    async def _look(self, client: MarathonClient, sink: Sink, news: asyncio.Event) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            news.clear()
            begun = loop.time()
            sink.replace(await self._found(client))
            sink.published()
            await asyncio.sleep(loop.time() - begun)  # many events in a row must not keep Marathon busy with us
            pause = self._settings.interval * random.uniform(0.9, 1.0)  # noqa: S311  balancers do not ask in step
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await news.wait()

    async def _found(self, client: MarathonClient) -> dict[str, Value]:
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(app: str) -> list[Task] | None:
            async with room:
                return await client.tasks(app)

        if not self._asked:
            return {"services": Broken("services", "none of them asks for an app", NOBODY)}
        answers = await asyncio.gather(*map(ask, self._apps), return_exceptions=True)
        tasks: dict[str, list[Task] | None] = {}
        for app, answer in zip(self._apps, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            tasks[app] = answer
        return {key: value for each in self._asked for key, value in entries(each, tasks[each.app])}

    async def _hear(self, client: MarathonClient, news: asyncio.Event) -> NoReturn:
        while True:
            with contextlib.suppress(MarathonError):  # if it is of importance, the looks say so
                async for app in client.changes():
                    if not app or app in self._apps:
                        news.set()
            await asyncio.sleep(self._deaf)


def entries(asked: Asked, tasks: list[Task] | None) -> Iterator[tuple[str, Value]]:
    """One entry for each task, by its key."""
    if tasks is None:
        hint = "is it deployed, and is `app` right? Its groups are part of it: /prod/web"
        yield asked.app, Broken(asked.app, "Marathon knows no such app", hint, asked.service)
    for task in tasks or ():
        key = f"{asked.app} {task.id}:{asked.index}"
        yield key, _entry(asked, task, key)


def _entry(asked: Asked, task: Task, key: str) -> Entry | Broken:
    if asked.index >= len(task.ports):
        ports = f"{len(task.ports)} ports" if len(task.ports) != 1 else "1 port"
        hint = "correct `port-index`, which counts from 0" if task.ports else "give the app a port"
        return Broken(key, f"has no port at index {asked.index}: it has {ports}", hint, asked.service)
    port = task.ports[asked.index]
    if not 1 <= port <= 65535:
        return Broken(key, f"has the port {port}, which is none", "", asked.service)
    try:
        host = places.machine(task.host)
    except RefusedError:
        return Broken(key, f"runs on {shown(task.host)}, which is neither a name nor an address", "", asked.service)
    status, why = condition_of(task)
    return Entry(
        asked.app,
        f"{task.id}:{port}",
        host,
        port,
        joined(host, port),
        tags=(tag(asked.index),),
        status=status,
        since=_moment(task.started),
        machine=task.host,
        zone=task.zone,
        why=why,
    )


def condition_of(task: Task) -> tuple[Status, str]:
    """Whether a task may get traffic, and if not, why."""
    if task.state == "TASK_KILLING":
        return "leaving", "Marathon ends it"
    if task.state not in ("", RUNNING):
        return "critical", f"Marathon says {shown(task.state)[1:-1]}"
    if not task.state and not task.started:
        return "critical", "Marathon has not started it yet"
    if not all(task.alive):
        return "critical", "a health check of Marathon's fails"
    return "", ""


def client_of(settings: SourceSettings, patience: Patience = PATIENCE) -> MarathonClient:
    """Make a client, to be used as `async with`. The password's file is read for each request: it may change."""
    login = None
    if settings.username and settings.password_file:
        login = Login(settings.username, partial(_password, settings.password_file))
    return MarathonClient(settings.url, settings.path, login=login, tls=files_of(settings.tls), patience=patience)


def _password(path: Path) -> str:
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise MarathonError(f"password-file {path}: {reason}", "check the path and who may read the file") from error


def _moment(written: str) -> float:
    try:
        return datetime.fromisoformat(written).timestamp()
    except ValueError:
        return 0.0
