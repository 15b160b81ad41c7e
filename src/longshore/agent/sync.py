"""`longshore sync`: the entries of one registry held in another, for as long as it runs, or copied once.

    FROM ──watch──▶ Mirror ──wanted──▶ Holder ──▶ TO
                      ▲───────────watch───────────┘   what stands there by itself is not copied

FROM that cannot be reached changes nothing: what it last said stays in TO. TO that cannot be reached is caught up with.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from longshore.clients.registry_faults import RegistryError
from longshore.core.entries import COPY, Entry
from longshore.core.freeze import Freeze, Mark
from longshore.core.inventory import Inventory
from longshore.core.mirror import Mirror, PassedOver
from longshore.core.places import joined
from longshore.core.registered_entry import Value
from longshore.core.registered_options import Options
from longshore.registries.hold import Holder, LeaseStatus
from longshore.sources.answering import Answer, answer_of
from longshore.sources.registered import Adapter, Patience, ask_doubted, stream

LOOK = 0.5  # seconds between looks at how the copies stand

Kind = Literal["copied", "changed", "removed", "away", "back", "passed over", "refused", "frozen", "thawed", "lost"]


@dataclass(frozen=True, slots=True)
class News:
    """Something that people may want to know."""

    kind: Kind
    what: str
    why: str = ""


Tell = Callable[[News], None]


def owner_of(source: str, target: str) -> str:
    """Give the owner of copies that this machine makes; the same at each run, another on each machine."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    said = "\0".join((machine or socket.gethostname(), source, target))
    return f"{COPY}{hashlib.sha256(said.encode()).hexdigest()[:8]}"


class Side:
    """One of the two registries, watched."""

    def __init__(self, options: Options, changed: Callable[[], None], tell: Tell) -> None:
        self.inventory = Inventory(options)
        self.whole = False  # whether it has been listed since the start
        self._name, self._changed, self._tell = options.source, changed, tell
        self._trouble = ""

    def replace(self, found: Mapping[str, Value]) -> None:
        """Take the whole content."""
        self.inventory.replace(found)
        self.whole = True
        if self._trouble:
            self._trouble = ""
            self._tell(News("back", f"{self._name} answers again"))

    def put(self, key: str, value: Value) -> None:
        """Take one key."""
        self.inventory.put(key, value)

    def delete(self, key: str) -> None:
        """Forget one key."""
        self.inventory.delete(key)

    def published(self) -> None:
        """End a batch."""
        self._changed()

    def broke(self, error: RegistryError) -> bool:
        """Know that it cannot be watched."""
        news = not self._trouble
        if self._trouble != error.what:
            self._tell(News("away", f"{self._name}: {error.what}", error.hint))
        self._trouble = error.what
        return news


class Sync:
    """Holds in TO what stands in FROM."""

    def __init__(self, mirror: Mirror, source: Options, target: Options, holder: Holder, tell: Tell) -> None:
        self.mirror, self.holder = mirror, holder
        self.source = Side(source, self.published, tell)
        self.target = Side(target, self._target_changed, tell)
        self.doubt = asyncio.Event()
        self._tell = tell
        self._wanted: dict[str, Entry] | None = None
        self._passed_over: tuple[PassedOver, ...] = ()
        self._kept = 0
        self._standing: dict[str, LeaseStatus] = {}

    @property
    def freeze(self) -> Freeze:
        """What doubts a sudden loss."""
        return self.mirror.freeze

    def answered(self, mark: Mark, *, alive: bool) -> None:
        """Take whether a doubted endpoint answers."""
        self.mirror.freeze.answered(mark, alive=alive)

    def published(self) -> None:
        """Take in what FROM says, once it is known what an earlier run left in TO."""
        if not (self.source.whole and self.target.whole):
            return
        if self.source.inventory.changes() or self._wanted is None:
            self.mirror.take(self.source.inventory, time.time())
        else:
            self.mirror.settle()
        self._want()

    async def run(
        self,
        source: Adapter,
        target: Adapter,
        patience: Patience = Patience(),  # noqa: B008  frozen
        answer: Callable[[str, int], Awaitable[Answer]] = answer_of,
    ) -> NoReturn:
        """Work until cancelled; then `holder.close` is due."""
        async with asyncio.TaskGroup() as group:
            group.create_task(stream(self.source, source, patience))
            group.create_task(stream(self.target, target, patience))
            group.create_task(ask_doubted(self, patience, answer))
            group.create_task(self.holder.run())
            while True:
                self._look()
                await asyncio.sleep(LOOK)
        raise AssertionError("sync ended without a reason")

    @property
    def is_done(self) -> bool:
        """Whether everything that stands in FROM stands in TO, or is refused there."""
        standing = {f"{lease.service}/{lease.id}": lease.state for lease in self.holder.leases()}
        wanted = self._wanted
        return wanted is not None and all(standing.get(name) in ("held", "refused") for name in wanted)

    @property
    def wanted(self) -> Mapping[str, Entry]:
        """What is held in TO."""
        return self._wanted or {}

    def _target_changed(self) -> None:
        entries = list(self.target.inventory.entries.values())
        if self._wanted is None:
            self.mirror.remember(entries)
        if self.target.inventory.changes() or self._wanted is None:
            self.mirror.originals(entries)
            self.published()

    def _want(self) -> None:
        before, now = self._wanted, dict(self.mirror.wanted)
        if self.mirror.freeze.doubted:
            self.doubt.set()
        else:
            self.doubt.clear()
        if now != before:
            self._wanted = now
            self.holder.want(now)
            self._say_changes(before or {}, now)
        self._say_frozen()
        for each in self.mirror.passed_over:
            if each not in self._passed_over:
                self._tell(News("passed over", each.key, each.why))
        self._passed_over = self.mirror.passed_over

    def _say_changes(self, before: Mapping[str, Entry], now: Mapping[str, Entry]) -> None:
        for name in sorted(before.keys() - now.keys()):
            self._tell(News("removed", name))
        for name, entry in sorted(now.items()):
            if name not in before:
                self._tell(News("copied", name, joined(entry.host, entry.port)))
            elif before[name] != entry:
                self._tell(News("changed", name, joined(entry.host, entry.port)))

    def _say_frozen(self) -> None:
        kept, self._kept = self._kept, self.mirror.freeze.kept
        alarm = self.mirror.freeze.alarm
        if alarm and self._kept > kept:
            hint = "they go when they stop answering; if they are meant to go now, end sync and start it again"
            self._tell(News("frozen", alarm.what, hint))
        elif kept and not self._kept:
            self._tell(News("thawed", "nothing is kept any more that is not registered"))

    def _look(self) -> None:
        """Tell what TO does not take, and when copies may be gone."""
        before = self._standing
        self._standing = {f"{lease.service}/{lease.id}": lease for lease in self.holder.leases()}
        for name, lease in self._standing.items():
            was = before.get(name)
            if was is not None and (was.state, was.error) == (lease.state, lease.error):
                continue
            if lease.state == "refused":
                self._tell(News("refused", name, lease.error))
        lost = [name for name, lease in self._standing.items() if lease.state == "lost"]
        if lost and not any(lease.state == "lost" for lease in before.values()):
            error = self._standing[lost[0]].error
            self._tell(News("lost", f"{len(lost)} copies may be gone until they are written again", error))
