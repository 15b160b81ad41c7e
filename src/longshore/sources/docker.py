"""The source `docker`: the containers of one engine as snapshots, from the first answer on and for ever.

Three functions, each a loop around the one before:

- `one_stream` follows events until the stream ends;
- `list_then_stream` subscribes, *then* lists, so that nothing falls in between, and follows;
- `follow` does that again and again. Whatever breaks, the last picture stays, marked stale with the reason.

`watch` follows and publishes services; the registrar follows for what it registers.

What an event means is `docker_picture`'s to say, how the engine is asked `docker_ask`'s.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol, TypeVar

from longshore.clients.docker import DockerClient
from longshore.clients.docker_events import Event
from longshore.clients.docker_faults import DockerError
from longshore.clients.tls import TlsSettings, files_of
from longshore.core.build import Builder, Options
from longshore.core.model import Service, Snapshot
from longshore.sources.docker_ask import Asking
from longshore.sources.docker_here import find_place
from longshore.sources.docker_picture import Picture, View

T = TypeVar("T")


class DockerSettings(Protocol):
    """What this source reads of its section of the configuration."""

    @property
    def host(self) -> str: ...  # noqa: D102  the names say it
    @property
    def tls(self) -> TlsSettings | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    answer: float = 15.0  # for the answer to one question
    ping: float = 10.0  # between signs of life that the engine is asked for
    compare: float = 0.0  # between listings while events come, in case some did not; 0: never
    first: float = 0.1  # before the first new try after a break, doubled each time …
    longest: float = 5.0  # … up to this


async def watch(
    name: str,
    settings: DockerSettings,
    options: Options,
    publish: Callable[[Snapshot], None],
    *,
    patience: Patience = Patience(),
    ssh: str = "ssh",
) -> NoReturn:
    """Publish what the engine runs, for ever. `options.here` is found out anew at each connection."""
    picture = Picture[Service](f"source {name}", lambda here: Builder(replace(options, here=here)))
    last: Snapshot | None = None

    def changed(view: View[Service]) -> None:
        nonlocal last
        snapshot = Snapshot(name, view.made, view.problems, view.stale)
        if snapshot != last:
            last = snapshot
            publish(snapshot)

    await follow(settings, picture, changed, patience=patience, ssh=ssh)


async def follow(
    settings: DockerSettings,
    picture: Picture[T],
    publish: Callable[[View[T]], None],
    *,
    patience: Patience = Patience(),
    ssh: str = "ssh",
) -> NoReturn:
    """Keep a picture up to date, for ever, and show it whenever it may have changed."""
    tls = files_of(settings.tls)
    tries = 0

    def changed() -> None:
        if picture.whole or picture.stale:
            publish(picture.view())

    while True:
        try:
            async with DockerClient(settings.host, tls=tls, ssh=ssh, timeout=patience.answer) as client:
                await list_then_stream(client, picture, changed, patience)
        except DockerError as error:
            _heed_cancellation()
            tries = tries + 1 if picture.stale else 0
            picture.broke(error.what, error.hint, time.strftime("%H:%M:%S"))
        changed()
        await asyncio.sleep(back_off(patience, tries))


async def list_then_stream(
    client: DockerClient, picture: Picture[Any], changed: Callable[[], None], patience: Patience
) -> NoReturn:
    """Subscribe, list, follow. Raises DockerError when the stream ends or the engine gives no sign of life."""
    try:
        async with (
            client.events(picture.since(client.version.date or time.time())) as events,
            asyncio.TaskGroup() as group,
        ):
            asking = Asking(client, picture, group, changed)
            group.create_task(_list(client, picture, asking, changed, patience.compare))
            group.create_task(_signs_of_life(client, patience.ping))
            await one_stream(events, picture, asking, changed)
            raise DockerError(f"the Docker Engine at {client.host} ended its event stream", "is it restarting?")
    except BaseExceptionGroup as several:
        raise _first(several) from several


async def one_stream(
    events: AsyncIterator[Event], picture: Picture[Any], asking: Asking, changed: Callable[[], None]
) -> None:
    """Take in events until there are no more. Never waits for an answer about a container."""
    async for event in events:
        todo = picture.note(event)
        if todo.publish:
            changed()
        if todo.ask:
            asking.ask(event.container, event.time)
        else:
            asking.ask_if_open(event.container, event.time)


async def _list(
    client: DockerClient, picture: Picture[Any], asking: Asking, changed: Callable[[], None], again: float
) -> None:
    """Ask about every container that runs, and about each we know of that is not listed any more; maybe `again`."""
    picture.situate(await find_place(client))
    while True:
        listed = await client.containers()
        await asking.ask_all(dict.fromkeys((*listed, *picture.known)))
        picture.listed()
        changed()
        if not again:
            return
        await asyncio.sleep(again * random.uniform(0.8, 1.2))  # noqa: S311


async def _signs_of_life(client: DockerClient, every: float) -> NoReturn:
    """Notice an engine that hangs, or a connection whose other end vanished: the event stream would just be silent."""
    while True:
        await asyncio.sleep(every)
        await client.ping()


def _heed_cancellation() -> None:
    """End if somebody asked for it: before Python 3.13 a TaskGroup that fails swallows a cancellation meanwhile."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one exception that matters of those that tasks raised together: a bug before a fault."""
    leaves = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in several.exceptions]
    return next((error for error in leaves if not isinstance(error, DockerError)), leaves[0])


def back_off(patience: Patience, tries: int) -> float:
    """Give the seconds before the next try. Jitter, so that many agents do not come back to an engine in step."""
    return min(patience.first * 2.0 ** min(tries, 20), patience.longest) * random.uniform(0.5, 1.0)  # noqa: S311
