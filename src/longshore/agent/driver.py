"""Brings one HAProxy to what is wanted: plans, applies, reloads when it must, and keeps the mirror true.

All methods run one at a time under one lock, so that a plan is always made from what really runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.agent.files import Files
from longshore.clients.haproxy_faults import HAProxyError, UnreachableError
from longshore.core.arrange import Laid, layout, map_files
from longshore.core.capabilities import Capabilities
from longshore.core.drift import correct, differences
from longshore.core.plan import Plan, cleanup, plan, settle
from longshore.core.profile import Profile
from longshore.core.render import Layout, Paths, Texts, maps_of, render
from longshore.core.running import Running, from_layout
from longshore.core.steps import RuntimeStep
from longshore.core.wanted import Wanted
from longshore.haproxy.apply import Refusal, apply
from longshore.haproxy.capabilities import probe_running
from longshore.haproxy.contract import Process, Reloaded
from longshore.haproxy.faults import BinaryError
from longshore.haproxy.observe import observe

ATTEMPTS = 3


@dataclass(slots=True)
class Counters:
    """What the driver has done since it started."""

    plans: int = 0
    steps: int = 0
    refused: int = 0
    reloads: int = 0
    drift: int = 0
    last_reload: Reloaded | None = None
    last_reload_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """What one `apply` did."""

    steps: tuple[RuntimeStep, ...] = ()
    refused: tuple[Refusal, ...] = ()
    reloaded: Reloaded | None = None


@dataclass(frozen=True, slots=True)
class Arranged:
    """A configuration with its map files, ready to be started."""

    layout: Layout
    maps: dict[str, dict[str, str]]
    placed: dict[str, str]  # backend -> service
    text: str


@dataclass(slots=True)
class Driver:
    """One HAProxy, from start to stop."""

    process: Process
    caps: Capabilities
    paths: Paths
    files: Files
    always: Callable[[Capabilities], tuple[Profile, ...]]  # profiles to have ready before any service asks for them
    spare: int  # free slots of each profile
    said: Callable[[str, str], object]  # journal: what, why
    running: Running | None = None
    reloading: str = ""  # why HAProxy is being reloaded right now
    counters: Counters = field(default_factory=Counters)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: Wanted | None = None  # what was applied last
    _unsaved: bool = False
    _saving: float = 0.0  # seconds the last save took
    _laid: Laid = field(default_factory=dict)
    _texts: Texts = field(default_factory=dict)

    async def adopt(self) -> bool:
        """Take over a HAProxy that runs already, exactly as it is."""
        async with self._lock:
            if not await self.process.adopt():
                return False
            try:
                self.caps = await probe_running(self.process.runtime())  # an upgrade may wait on disk
                self._texts.clear()
            except BinaryError as error:
                self.said("the HAProxy that runs cannot be asked what it can do", error.what)
            self.running = self.files.adopted()
            if self.running is not None:
                await self._observe(self.running)
            return True

    async def start(self, wanted: Wanted) -> None:
        """Start HAProxy with what is wanted. Raises `HAProxyError`."""
        async with self._lock:
            self.running = None
            arranged = self._render(wanted)
            await self.process.start(arranged.text)
            await self._begin(wanted, arranged)

    async def apply(self, wanted: Wanted) -> Done:
        """Bring HAProxy to what is wanted; raises `HAProxyError` when that is not possible now."""
        async with self._lock:
            if self.running is None:  # adopted, but nobody knows what it was made from
                return Done(reloaded=await self._reload(wanted, "the running configuration is unknown"))
            for attempt in range(ATTEMPTS):
                try:
                    return await self._apply(self.running, wanted)
                except UnreachableError:
                    if attempt + 1 == ATTEMPTS:
                        raise
                    await self.process.runtime().reconnect()
                    await self._observe(self.running)
            raise AssertionError

    async def tidy(self) -> bool:
        """Delete what nothing uses any more. True if something is left that HAProxy would not delete yet."""
        async with self._lock:
            if self.running is None or self._wanted is None:
                return False
            todo = cleanup(self.running, self._wanted)
            if not todo:
                return False
            refused = await apply(self.process.runtime(), self.running, todo, self.caps)
            self._unsaved = True
            return bool(refused) or bool(cleanup(self.running, self._wanted))

    async def drift(self) -> tuple[str, ...]:
        """Find what HAProxy runs otherwise than we left it; the next `apply` mends it."""
        async with self._lock:
            if self.running is None:
                return ()
            seen = await observe(self.process.runtime(), self.running.maps)
            found = differences(self.running, seen)
            if found:
                self.counters.drift += len(found)
                correct(self.running, seen)
            return found

    async def reload(self, wanted: Wanted, reason: str) -> Reloaded:
        """Reload because somebody asked for it."""
        async with self._lock:
            return await self._reload(wanted, reason)

    async def save(self) -> float:
        """Write what runs to disk, if it changed; returns how many seconds to wait before it is worth doing again."""
        async with self._lock:
            if self._unsaved and self.running is not None and self._wanted is not None:
                began = time.monotonic()
                arranged = await asyncio.to_thread(self._render, self._wanted)
                await self.process.save(arranged.text)
                self._unsaved = False
                self._saving = time.monotonic() - began
        return max(0.5, 200 * self._saving)

    async def _apply(self, running: Running, wanted: Wanted) -> Done:
        todo, refused = await self._steps(running, wanted)
        if refused:
            await self._observe(running)
        reloaded = await self._reload(wanted, "; ".join(todo.reload)) if todo.reload else None
        return Done(todo.steps, refused, reloaded)

    async def _steps(self, running: Running, wanted: Wanted) -> tuple[Plan, tuple[Refusal, ...]]:
        todo = plan(running, wanted, self.caps)
        refused: tuple[Refusal, ...] = ()
        if todo.steps:
            self._unsaved = True
            refused = await apply(self.process.runtime(), running, todo.steps, self.caps)
            self.counters.plans += 1
            self.counters.steps += len(todo.steps)
            self.counters.refused += len(refused)
        settle(running, wanted, todo.places, {getattr(r.step, "backend", "") for r in refused})
        self._wanted = wanted
        return todo, refused

    async def _reload(self, wanted: Wanted, reason: str) -> Reloaded:
        before = self._wanted
        arranged = self._render(wanted)
        self.reloading = reason
        try:
            reloaded = await self.process.reload(arranged.text, reason)
        except HAProxyError:
            if before is not None:
                self._render(before)  # back to the files of what goes on running
            raise
        finally:
            self.reloading = ""
        self.counters.reloads += 1
        self.counters.last_reload, self.counters.last_reload_at = reloaded, time.time()
        self.said(f"HAProxy reloaded in {reloaded.seconds * 1000:.0f} ms", reason)
        await self._begin(wanted, arranged)
        return reloaded

    async def _begin(self, wanted: Wanted, arranged: Arranged) -> None:
        """A new worker serves: mirror it, and mend what it has otherwise, such as an operator's drain."""
        self.running = from_layout(arranged.layout, arranged.maps, arranged.placed)
        await self._observe(self.running)
        await self._steps(self.running, wanted)

    async def _observe(self, running: Running) -> None:
        correct(running, await observe(self.process.runtime(), running.maps))

    def _render(self, wanted: Wanted) -> Arranged:
        """Write the map files and the record, and answer with the configuration that goes with them."""
        layout_, backend_of = layout(wanted, self.running, self.caps, self.always(self.caps), self.spare, self._laid)
        maps = map_files(wanted, backend_of, maps_of(layout_))
        placed = {backend: service for service, backend in backend_of.items()}
        self.files.write(layout_, maps, placed)
        return Arranged(layout_, maps, placed, render(layout_, self.caps, self._texts))
