"""`longshore sync`: the entries of one registry kept in another too, while things move from here to there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.connect_holders import holder_of
from longshore.agent.registry_read import Reading
from longshore.agent.sync import News, Sync, owner_of
from longshore.cli.durations import seconds
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.options import AsJson, ConfigFile
from longshore.cli.registries import chosen, known, loaded, writable
from longshore.cli.text import Colour, clean, clock, paint, plural, say
from longshore.config.load import Loaded
from longshore.core.mirror import Mirror
from longshore.registries.hold import LeaseStatus

TTL = 30.0
ONCE = 3600.0
SIGNS: dict[str, tuple[str, Colour]] = {
    "copied": ("+", "green"),
    "changed": ("~", "green"),
    "removed": ("-", "yellow"),
    "back": ("", "green"),
    "thawed": ("", "green"),
}


def sync(
    source: Annotated[str, Parameter(name="FROM", help="The registry whose entries are copied, by its name.")],
    target: Annotated[str, Parameter(name="TO", help="The registry that they are written to, by its name.")],
    /,
    *,
    once: Annotated[
        bool, Parameter(negative="", help="Copy what stands there now, leave the copies to live for --ttl, and end.")
    ] = False,
    ttl: Annotated[
        str, Parameter(help="How long copies outlive this command if it is killed. Default: 30s, with --once 1h.")
    ] = "",
    keep: Annotated[
        bool, Parameter(negative="", help="At the end leave the copies to live for --ttl, for the next run to adopt.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Keep the entries of one registry in another too, until Ctrl-C (or SIGTERM) withdraws the copies.

    Service, id, address, labels, tags, weight and zone are copied; layouts may differ. What goes in FROM goes in TO;
    while FROM cannot be reached nothing goes. Copies are never copied again, and give way when the original arrives in
    TO. The source's filters hold. With --json each line is one JSON object.
    """
    found = loaded(config)
    registries = known(found)
    if source == target:
        raise End(USAGE, f"FROM and TO are both {source}", "name two registries of the configuration")
    here, there = chosen(registries, source), writable(chosen(registries, target))
    lives = seconds(ttl) if ttl else ONCE if once else TTL
    if not 2 <= lives <= 3600:
        raise End(USAGE, f"{ttl}: copies live from 2s to 1h without being renewed", "like --ttl 30s")
    return asyncio.run(_Run(found, here, there, lives, as_json=as_json).run(once=once, keep=keep or once))


class _Run:
    def __init__(self, found: Loaded, here: Reading, there: Reading, ttl: float, *, as_json: bool) -> None:
        here, there = here.whole, there.whole
        self._here, self._there, self._ttl, self._as_json = here, there, ttl, as_json
        self._owner = owner_of(_place(here), _place(there))
        mirror = Mirror(here.options, self._owner, there.options.layout.name)
        self._holder = holder_of(found, there.name, self._owner, ttl)
        self._sync = Sync(mirror, here.options, there.options, self._holder, self._tell)

    async def run(self, *, once: bool, keep: bool) -> int:
        """Sync until told to stop, or with `once` until everything stands there."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if not self._as_json:
            until = "once" if once else "until Ctrl-C"
            say(f"{_place(self._here)} to {_place(self._there)}, as {self._owner}, {until}")
        work = asyncio.create_task(self._sync.run(self._here.adapter(), self._there.adapter()))
        try:
            await self._wait(work, stop, once=once)
        finally:
            work.cancel()
            result, *_ = await asyncio.gather(work, return_exceptions=True)
            await self._holder.close(keep=keep)
        if isinstance(result, Exception):
            raise result
        return self._end(keep=keep, done=not once or self._sync.is_done)

    async def _wait(self, work: asyncio.Task[None], stop: asyncio.Event, *, once: bool) -> None:
        while not stop.is_set() and not work.done() and not (once and self._sync.is_done):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1 if once else 0.5):
                    await stop.wait()

    def _end(self, *, keep: bool, done: bool) -> int:
        wanted = self._sync.wanted
        refused = [lease for lease in self._holder.leases() if lease.state == "refused"]
        held = len(wanted) - len(refused)
        if self._as_json:
            end = {"kept": held if keep else 0, "refused": len(refused), "ttl": self._ttl, "complete": done}
            print(json.dumps({"at": time.time(), "kind": "end"} | end), flush=True)
        elif keep:
            say(f"{plural(held, 'copy', 'copies')} left in {self._there.name}, for {self._ttl:g} s at most")
        else:
            left = [lease for lease in self._holder.leases() if lease.state != "refused"]
            say(_withdrawn(held, left, self._there.name))
        if not done:
            raise End(FINDING, "ended before everything was copied", "`longshore registry ls` shows what stands there")
        return FINDING if refused and keep else FINE

    def _tell(self, news: News) -> None:
        if self._as_json:
            said = {"at": time.time(), "kind": news.kind, "what": news.what, "why": news.why}
            print(json.dumps(said, ensure_ascii=False), flush=True)
            return
        sign, colour = SIGNS.get(news.kind, ("!", "red"))
        why = f"  {clean(news.why)}" if news.why else ""
        word = (
            "" if news.kind in ("copied", "changed", "away", "back", "frozen", "thawed", "lost") else f"{news.kind}: "
        )
        print(f"{clock(time.time())}  {paint(sign or ' ', colour)} {word}{clean(news.what)}{why}", flush=True)


def _withdrawn(count: int, left: list[LeaseStatus], name: str) -> str:
    copies = plural(count, "copy", "copies")
    return f"{copies} withdrawn from {name}" if not left else f"{copies} in {name} go by themselves: {left[0].error}"


def _place(reading: Reading) -> str:
    kind = f" ({reading.source.type})" if reading.source.type != reading.name else ""
    return f"{reading.name}{kind} {reading.options.prefix} {reading.options.layout.name}"
