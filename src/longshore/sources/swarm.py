"""The source `swarm`: the services of one Swarm as snapshots, seen through the engine of a manager.

Services and nodes have events, and each makes us look at once. Tasks have none: while anything is under way they are
listed several times a second, else rarely (`swarm_pace`). A look is one list of the tasks that shall run, which the
manager filters, and one of those that are leaving, while there are any.

Whatever breaks, the last snapshot stays, marked stale with the reason, and the manager is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.docker_swarm import Happening, SwarmClient
from longshore.clients.tls import files_of
from longshore.core.address import Here
from longshore.core.drafts import Options
from longshore.core.model import Problem, Snapshot
from longshore.core.swarm import Swarm
from longshore.sources.docker import DockerSettings, Patience, back_off
from longshore.sources.docker_here import find_place, ids_of_this_process
from longshore.sources.swarm_pace import Pace

EVERYTHING = 20.0
"""Seconds after which services and nodes are listed anew although no event asked for it: a node that has just become a
manager keeps events to itself for a while."""

PATIENCE = Patience()


class SwarmSettings(DockerSettings, Protocol):
    """What this source reads of its section of the configuration."""

    @property
    def networks(self) -> tuple[str, ...]: ...  # noqa: D102  networks that the balancer is said to share


@dataclass(slots=True)
class Heard:
    """What the events said since somebody looked."""

    kinds: set[str] = field(default_factory=set)
    fault: BaseException | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> set[str]:
        """Give the kinds of things that changed, and forget them. Raises what ended the stream."""
        if self.fault is not None:
            raise self.fault
        kinds, self.kinds = self.kinds, set()
        self.news.clear()
        return kinds


class Picture:
    """All that is known of a Swarm, as snapshots."""

    def __init__(self, options: Options, publish: Callable[[Snapshot], None]) -> None:
        self.swarm = Swarm(options)
        self.whole = False  # whether everything has been listed once
        self.stale: Problem | None = None
        self._stale_since = ""
        self._publish = publish
        self._last: Snapshot | None = None

    def looked(self) -> bool:
        """Note that the picture is whole and current; publish it, and say whether it is different."""
        self.whole = True
        self.stale, self._stale_since = None, ""
        return self.changed()

    def broke(self, error: DockerError) -> None:
        """Note that the Swarm cannot be seen. The moment told is that of the first failure in a row."""
        self.stale = Problem(f"source {self.swarm.options.source}", error.what, error.hint)
        self._stale_since = self._stale_since or time.strftime("%H:%M:%S")
        self.changed()

    def changed(self) -> bool:
        """Publish, if anything is different."""
        snapshot = self._snapshot()
        if snapshot == self._last:
            return False
        self._last = snapshot
        self._publish(snapshot)
        return True

    def _snapshot(self) -> Snapshot:
        own = () if self.stale is None else (self.stale,)
        stale = f"{self.stale.what}, since {self._stale_since}" if self.stale else ""
        if not self.whole:
            return Snapshot(self.swarm.options.source, (), own, stale or "the Swarm has not been asked yet")
        services, problems = self.swarm.build()
        return Snapshot(self.swarm.options.source, services, (*own, *problems), stale)


async def watch(
    settings: SwarmSettings,
    options: Options,
    publish: Callable[[Snapshot], None],
    *,
    patience: Patience = PATIENCE,
    ssh: str = "ssh",
    clock: Callable[[], float] = time.monotonic,
) -> NoReturn:
    """Publish what the Swarm runs, for ever. `options.here` is found out anew at each connection."""
    picture = Picture(options, publish)
    tls = files_of(settings.tls)
    tries = 0
    while True:
        try:
            async with DockerClient(settings.host, tls=tls, ssh=ssh, timeout=patience.answer) as client:
                await list_then_look(SwarmClient(client), picture, settings.networks, clock)
        except DockerError as error:
            tries = tries + 1 if picture.stale else 0
            picture.broke(error)
        await asyncio.sleep(back_off(patience, tries))


async def list_then_look(
    client: SwarmClient, picture: Picture, networks: tuple[str, ...], clock: Callable[[], float]
) -> NoReturn:
    """Subscribe, list, look again and again. Raises DockerError when the manager cannot be asked any more."""
    await client.is_manager()
    heard = Heard()
    async with client.events(client.engine.version.date or time.time()) as events:
        listener = asyncio.create_task(_listen(events, heard, client.engine.host))
        try:
            await _look_for_ever(client, picture, networks, heard, clock)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)


async def _listen(events: AsyncIterator[Happening], heard: Heard, host: str) -> None:
    """Take in events until there are no more."""
    try:
        async for event in events:
            heard.kinds.add(event.kind)
            heard.news.set()
        heard.fault = DockerError(f"the Docker Engine at {host} ended its event stream", "is it restarting?")
    except Exception as error:  # it is raised where somebody looks
        heard.fault = error
    heard.news.set()


async def _look_for_ever(
    client: SwarmClient, picture: Picture, networks: tuple[str, ...], heard: Heard, clock: Callable[[], float]
) -> NoReturn:
    pace, swarm = Pace(), picture.swarm
    whole = -EVERYTHING
    told: set[str] = set()
    while True:
        began = clock()
        kinds = told
        if began - whole >= EVERYTHING:
            kinds, whole = {"service", "node", "network"}, began
        if "node" in kinds:
            swarm.take_nodes(await client.nodes())
        if "service" in kinds:
            swarm.take_services(await client.services())
        asked = clock()
        swarm.take_running(await client.running())
        took = clock() - asked
        if swarm.puzzling:
            swarm.take_services(await client.services())
        if "network" in kinds:
            await _situate(client, swarm, networks)
        if not swarm.options.here.in_container:
            _find_among_tasks(swarm, networks)
        changed = picture.looked()
        if leaving := swarm.leaving:
            swarm.take_leaving(leaving, await client.tasks(leaving))
            changed |= picture.looked()
        wait = pace.after(clock(), took, news=bool(told) or changed, updating=swarm.updating, settled=swarm.settled)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await heard.news.wait()
        told = heard.take()


async def _situate(client: SwarmClient, swarm: Swarm, networks: tuple[str, ...]) -> None:
    """Find out which networks are ours, as a container of this engine; `networks` are shared in any case."""
    try:
        here = (await find_place(client.engine)).here
    except DockerError as error:
        if error.status not in (401, 403, 404):
            raise
        here = Here()  # a socket proxy keeps containers to itself
    if here.in_container or not swarm.options.here.in_container:
        _move(swarm, replace(here, networks=here.networks | frozenset(networks)))


def _find_among_tasks(swarm: Swarm, networks: tuple[str, ...]) -> None:
    """Find out which networks are ours, as a task on any node: its container is known once it has started."""
    tasks = swarm.containers()
    own = next((tasks[identity] for identity in ids_of_this_process() if identity in tasks), None)
    if own is not None:
        shared = frozenset((*(each.id for each in own.networks), *networks))
        _move(swarm, Here(shared, in_container=True, container=own.container))


def _move(swarm: Swarm, here: Here) -> None:
    if here != swarm.options.here:
        swarm.situate(replace(swarm.options, here=here))
