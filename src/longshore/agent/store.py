"""What longshore knows, on disk: after a restart it serves what it served before, whatever its sources say by then.

One file, `state.json` in the state directory: each source's last snapshot, what operators said, remembered services,
who owns which route, what `keep-last` goes on with, and small values of others by name. It is written a moment after a
change, as a whole or not at all. A file that cannot be understood is moved aside and said; a disk that takes no more is
said and tried again.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from longshore.agent.encoding import MalformedError, decode, encode
from longshore.core.model import Endpoint, Problem, Service, Snapshot
from longshore.core.overrides import Override, Overrides
from longshore.core.remember import Kept

VERSION = 1
NAME = "state.json"
DELAY = 0.5  # seconds from a change to the disk: a burst is one write
SHARE = 200  # or this many times as long as the last write took: a large state takes no more of a processor
AGAIN = 5.0  # seconds until a failed write is tried again


@dataclass(frozen=True, slots=True)
class State:
    """All that outlives a restart."""

    snapshots: tuple[Snapshot, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    kept: Mapping[str, Kept] = field(default_factory=dict)  # remembered services
    owners: Mapping[str, str] = field(default_factory=dict)  # route claim -> service, see `core.conflicts`
    last: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)  # what `keep-last` goes on with
    extra: Mapping[str, Any] = field(default_factory=dict)  # JSON values of others, by their names


class Store:
    """Reads and writes the state file. `problem` says what is wrong with it now, `found` what was when it was read."""

    def __init__(self, folder: Path, delay: float = DELAY, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self.path = folder / NAME
        self.problem: Problem | None = None
        self.found: Problem | None = None
        self._delay = delay
        self._clock = clock
        self._waiting: State | None = None
        self._timer: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._took = 0.0  # seconds that the last state took to be spelled
        self._texts: dict[tuple[str, str], tuple[Service, str]] = {}

    def load(self) -> State:
        """Read the state; an empty one if there is none. Snapshots come back stale: they are from another time."""
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return State()
        except (OSError, UnicodeDecodeError) as error:
            return self._unusable(f"cannot be read: {_why(error)}", aside=isinstance(error, UnicodeDecodeError))
        try:
            return _read(json.loads(text))
        except (ValueError, RecursionError) as error:
            return self._unusable(str(error), aside=True)

    def save(self, state: State) -> None:
        """Write `state` soon. Returns at once; a later call before that replaces it."""
        self._waiting = state
        if self._timer is None:
            self._timer = asyncio.create_task(self._later(self._pace()), name="save the state")

    async def flush(self) -> None:
        """Write now what waits to be written. What is wrong is in `problem` afterwards."""
        async with self._lock:
            state, self._waiting = self._waiting, None
            if state is None:
                return
            began = time.thread_time()
            text = self._text(state)
            self._took = time.thread_time() - began
            try:
                await asyncio.to_thread(write, self.path, text)
            except OSError as error:
                self._waiting = self._waiting or state
                self.problem = Problem(
                    f"state file {self.path}",
                    f"cannot be written: {_why(error)}",
                    "Make room or give longshore access. Nothing else is affected, but a restart would begin with "
                    "what was saved last; it is tried again every few seconds.",
                )
            else:
                self.problem = None

    async def close(self) -> None:
        """Write what waits, and stop."""
        timer, self._timer = self._timer, None
        async with self._lock:  # never in the middle of a write
            if timer is not None:
                timer.cancel()
        await asyncio.gather(*([timer] if timer else ()), return_exceptions=True)
        await self.flush()

    async def _later(self, delay: float) -> None:
        while self._waiting is not None:
            await asyncio.sleep(delay)
            await self.flush()
            delay = AGAIN if self.problem else self._pace()
        self._timer = None

    def _pace(self) -> float:
        return max(self._delay, SHARE * self._took)

    def _text(self, state: State) -> str:
        """Spell the state as JSON; services that are the same object as last time are not spelled again."""
        texts: dict[tuple[str, str], tuple[Service, str]] = {}
        snapshots = []
        for snapshot in state.snapshots:
            for service in snapshot.services:
                known = self._texts.get((snapshot.source, service.name))
                same = known is not None and known[0] is service
                texts[snapshot.source, service.name] = known if known and same else (service, _json(encode(service)))
            services = ",\n".join([texts[snapshot.source, service.name][1] for service in snapshot.services])
            head = _json({"source": snapshot.source, "stale": snapshot.stale, "problems": encode(snapshot.problems)})
            snapshots += [",", head[:-1], ',"services":[\n', services, "]}"]
        self._texts = texts
        rest = {
            "version": VERSION,
            "saved": self._clock(),
            "overrides": [encode(override) for override in state.overrides.said.values()],
            "kept": [encode(kept) for kept in state.kept.values()],
            "owners": dict(state.owners),
            "last": {name: encode(endpoints) for name, endpoints in state.last.items()},
            "extra": dict(state.extra),
        }
        return "".join([_json(rest)[:-1], ',"snapshots":[', *snapshots[1:], "]}\n"])

    def _unusable(self, why: str, *, aside: bool) -> State:
        result, hint = "longshore begins without it", "Give longshore access to it."
        if aside:
            broken = self.path.with_suffix(".json.broken")
            result += f"; the file is now {broken}"
            hint = "Nothing is to be done, unless it is of a newer longshore that you want to go back to."
            try:
                self.path.replace(broken)
            except OSError as error:
                result, hint = "longshore begins without it", f"It cannot be moved aside: {_why(error)}."
        self.found = Problem(f"state file {self.path}", f"{why}; {result}", hint)
        return State()


def _read(document: Any) -> State:
    if not isinstance(document, dict) or document.get("version") != VERSION:
        version = document.get("version") if isinstance(document, dict) else None
        raise MalformedError(f"is of version {version!r}, this longshore writes version {VERSION}")
    try:
        saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(document["saved"]))
        stale = f"not heard since longshore started; this is what was saved at {saved}"
        snapshots = [decode(Snapshot, each) for each in document["snapshots"]]
        overrides = [decode(Override, each) for each in document["overrides"]]
        kept = [decode(Kept, each) for each in document["kept"]]
        owners, extra = document["owners"], document["extra"]
        last = {name: tuple(decode(Endpoint, each) for each in said) for name, said in document.get("last", {}).items()}
        if not isinstance(extra, dict) or not all(isinstance(name, str) for name in owners.values()):
            raise MalformedError("owners and extra are no objects")
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise MalformedError(f"lacks something: {error!r}") from None
    return State(
        snapshots=tuple(replace(snapshot, stale=snapshot.stale or stale) for snapshot in snapshots),
        overrides=Overrides({(each.service, each.endpoint): each for each in overrides}),
        kept={each.service.name: each for each in kept},
        owners=owners,
        last=last,
        extra=extra,
    )


def write(path: Path, text: str) -> None:
    """Put a file in place as a whole or not at all, on the disk when this returns, for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        with open(new, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is no text"
