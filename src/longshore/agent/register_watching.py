"""The checks of this host's endpoints: each in a loop of its own, so that a slow one delays no other.

What an endpoint is believed to be survives everything but a new start of it: another interval, another kind of check,
another address are no reason to take out what serves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from longshore.agent.register_checks import CheckTarget, Verdict, check
from longshore.agent.register_engine import EngineHand
from longshore.clients.docker_faults import DockerError
from longshore.core.health import Health
from longshore.core.model import EndpointState
from longshore.core.registration import LocalCheck, Registration

DEAR = ("exec",)  # kinds that cost too much to be made in a hurry


@dataclass(slots=True)
class Part:
    """What is known of one endpoint by one of its checks."""

    check: LocalCheck
    health: Health
    why: str = ""  # of the last result
    since: float = 0.0  # Unix seconds since when `health.fit` is what it is
    task: asyncio.Task[None] | None = field(default=None, repr=False)


@dataclass(slots=True)
class Belief:
    """What is known of one endpoint: by all its checks, of which none may fail."""

    parts: tuple[Part, ...]
    start: float  # `Entry.since`: which start of it this is about

    @property
    def fit(self) -> bool | None:
        """Whether it is fit; None while that is not known."""
        found = [part.health.fit for part in self.parts]
        return False if False in found else None if None in found else True

    @property
    def since(self) -> float:
        """Unix seconds since when that is so."""
        return max(part.since for part in self.parts if self.fit is not False or part.health.fit is False)

    @property
    def said(self) -> str:
        """What was asked and came out: of what failed, if anything did."""
        failed = [part for part in self.parts if part.health.fit is False]
        told = [f"{part.check}: {part.why or ('failed' if failed else 'ok')}" for part in failed or self.parts]
        return "; ".join(told)


class Watching:
    """All endpoints that are checked. `changed` is called when one became fit, or is not any more."""

    def __init__(self, changed: Callable[[], None], checked: Callable[[str, bool], None]) -> None:
        """`checked` is told the kind and the result of each check."""
        self.hand: EngineHand | None = None
        self._changed = changed
        self._checked = checked
        self._beliefs: dict[str, Belief] = {}

    def want(self, registrations: Mapping[str, Registration]) -> None:
        """Check exactly those that are ready, by their keys."""
        ready = {key: each for key, each in registrations.items() if each.state is EndpointState.READY}
        for key in self._beliefs.keys() - ready.keys():
            self._end(self._beliefs.pop(key))
        for key, registration in ready.items():
            self._watch(key, registration)

    def belief(self, key: str) -> Belief | None:
        """What is known of an endpoint; None if it is not checked."""
        return self._beliefs.get(key)

    @property
    def settled(self) -> bool:
        """Whether every endpoint has been checked once."""
        return all(belief.fit is not None for belief in self._beliefs.values())

    @property
    def longest(self) -> float:
        """Seconds that the slowest check may take."""
        return max((part.check.timeout for belief in self._beliefs.values() for part in belief.parts), default=0.0)

    async def close(self) -> None:
        """End all checks."""
        tasks = [part.task for belief in self._beliefs.values() for part in belief.parts if part.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._beliefs.clear()

    def _watch(self, key: str, registration: Registration) -> None:
        asked, start = registration.checks, registration.entry.since
        before = self._beliefs.get(key)
        if before is not None and (tuple(part.check for part in before.parts), before.start) == (asked, start):
            return
        if before is not None:
            self._end(before)
        known = before.parts if before is not None and before.start == start else ()
        parts = []
        for index, each in enumerate(asked):
            same = next((part for part in known if part.check == each), known[index] if index < len(known) else None)
            parts.append(self._part(key, each, same))
        self._beliefs[key] = Belief(tuple(parts), start)

    def _part(self, key: str, asked: LocalCheck, same: Part | None) -> Part:
        """Begin to check; `same` is what is known from before."""
        health = Health(asked.rise, asked.fall)
        if same is not None:
            health = replace(health, fit=same.health.fit, failures=same.health.failures)
        part = Part(asked, health, *((same.why, same.since) if same else ()))
        if asked.by_engine or asked.kind.kind == "none":  # nothing to wait for: being ready is all
            part.health = replace(health, fit=True, failures=-1)
            part.why, part.since = ("healthy" if asked.by_engine else ""), part.since or time.time()
        else:
            part.task = asyncio.create_task(self._loop(part), name=f"check {key}")
        return part

    async def _loop(self, part: Part) -> None:
        asked = part.check
        dear = asked.kind.kind in DEAR
        if part.health.fit is not None:  # known from before: the next check when it is due
            await asyncio.sleep(random.uniform(0, asked.interval))  # noqa: S311
        while True:
            if (verdict := await self._once(asked)) is not None:
                self._checked(asked.kind.kind, verdict.ok)
                before, part.health = part.health, part.health.after(ok=verdict.ok)
                part.why = verdict.why
                if part.health.fit != before.fit:
                    part.since = time.time()
                    self._changed()
            pause = part.health.pause(asked.interval, dear=dear)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311

    async def _once(self, asked: LocalCheck) -> Verdict | None:
        """Make one attempt; None if it says nothing of the endpoint, because the engine that makes it is away."""
        target = CheckTarget(
            asked.address,
            asked.port,
            asked.container,
            asked.health,
            asked.host,
            asked.status,
            asked.expect,
            asked.tls,
            asked.proxied,
            asked.headers,
            asked.login,
            asked.method,
        )
        if asked.kind.kind != "exec" or self.hand is None:
            return await check(asked.kind, target, asked.timeout)
        try:
            verdict = await check(asked.kind, target, asked.timeout, await self.hand.client())
        except DockerError:
            return None
        return verdict if verdict.ok or await self.hand.look() else None

    @staticmethod
    def _end(belief: Belief) -> None:
        for part in belief.parts:
            if part.task is not None:
                part.task.cancel()
