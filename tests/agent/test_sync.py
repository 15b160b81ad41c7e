"""The loop of `sync`: nothing before both registries were listed, nothing lost by what breaks, everything told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from longshore.agent.sync import News, Sync, owner_of
from longshore.clients.registry_faults import RegistryError
from longshore.core.entries import Entry
from longshore.core.layouts import LAYOUTS
from longshore.core.mirror import Mirror
from longshore.core.registered_options import Options
from longshore.registries.hold import LeaseState, LeaseStatus
from longshore.sources.answering import Answer
from tests.lab.waiting import eventually
from tests.sources.registry_watching import PREFIX, QUICK, Registry, entry

OWNER = "sync.12345678"
AWAY = RegistryError("etcd does not answer", "is it running?")


class FakeHolder:
    """Writes at once what is wanted; `refuses` some of it."""

    def __init__(self) -> None:
        self.wants: list[dict[str, Entry]] = []
        self.refuses: set[str] = set()
        self.lost = ""

    def want(self, entries: Mapping[str, Entry]) -> None:
        self.wants.append(dict(entries))

    async def run(self) -> None:
        await asyncio.Event().wait()

    def leases(self) -> tuple[LeaseStatus, ...]:
        return tuple(self._lease(name, entry) for name, entry in (self.wants[-1] if self.wants else {}).items())

    def _lease(self, name: str, entry: Entry) -> LeaseStatus:
        if name in self.refuses:
            return LeaseStatus(entry.service, entry.id, name, "there", "refused", 0.0, 30.0, "another stands there")
        state: LeaseState = "lost" if self.lost else "held"
        return LeaseStatus(entry.service, entry.id, name, "there", state, 0.0, 30.0, self.lost)

    def trouble(self) -> str | None:
        return self.lost

    async def close(self, *, keep: bool) -> None:
        pass


class Syncing:
    """A running sync with all that can be seen of it."""

    def __init__(self, source: Registry, target: Registry) -> None:
        self.holder = FakeHolder()
        self.news: list[News] = []
        self.answers: dict[tuple[str, int], Answer] = {}
        here, there = (Options(name, LAYOUTS["native"], PREFIX) for name in ("here", "there"))
        self.sync = Sync(Mirror(here, OWNER, "native"), here, there, self.holder, self.news.append)

    @property
    def wanted(self) -> list[str]:
        return sorted(self.sync.wanted)

    def told(self, kind: str) -> list[str]:
        return [news.what for news in self.news if news.kind == kind]

    async def answer(self, address: str, port: int) -> Answer:
        return self.answers.get((address, port), "refused")

    async def until(self, *wanted: str) -> None:
        await self.until_true(lambda: self.wanted == [*wanted])

    async def until_true(self, condition: Callable[[], object]) -> None:
        await eventually(condition, every=0.005)


@asynccontextmanager
async def syncing(source: Registry, target: Registry) -> AsyncIterator[Syncing]:
    found = Syncing(source, target)
    task = asyncio.create_task(found.sync.run(source, target, QUICK, found.answer))
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def test_what_comes_and_goes_comes_and_goes_there() -> None:
    source = Registry(web_a=entry())
    async with syncing(source, Registry()) as seen:
        await seen.until("web/a")
        assert seen.sync.wanted["web/a"].owner == OWNER
        source.tell(web_b=entry("10.0.0.6"), web_a=None)
        await seen.until("web/b")
        assert (seen.told("copied"), seen.told("removed")) == (["web/a", "web/b"], ["web/a"])
        assert seen.sync.is_done


async def test_nothing_is_wanted_before_it_is_known_what_stands_there() -> None:
    """An empty wish would remove what an earlier run left."""
    target = Registry()
    target.away = AWAY
    async with syncing(Registry(web_a=entry()), target) as seen:
        await seen.until_true(lambda: seen.told("away"))
        assert seen.holder.wants == []
        assert not seen.sync.is_done
        target.away = None
        await seen.until("web/a")
        assert seen.told("back") == ["there answers again"]


async def test_an_origin_that_is_away_takes_nothing_away() -> None:
    source = Registry(web_a=entry())
    async with syncing(source, Registry()) as seen:
        await seen.until("web/a")
        source.fail(AWAY)
        await seen.until_true(lambda: seen.told("away"))
        assert seen.told("away") == ["here: etcd does not answer"]
        assert seen.wanted == ["web/a"]
        source.content["web/b"] = entry("10.0.0.6")
        source.away = None
        await seen.until("web/a", "web/b")


async def test_a_sudden_loss_is_kept_while_it_answers() -> None:
    source = Registry(**{f"web_{number}": entry(f"10.0.0.{number}") for number in range(1, 5)})
    async with syncing(source, Registry()) as seen:
        await seen.until("web/1", "web/2", "web/3", "web/4")
        seen.answers[("10.0.0.1", 80)] = "open"
        source.tell(**{f"web_{number}": None for number in range(1, 5)})
        await seen.until("web/1")
        await seen.until_true(lambda: seen.told("frozen"))
        assert all("web/1" in wants for wants in seen.holder.wants)
        seen.answers.clear()
        await seen.until()
        assert seen.told("thawed")


async def test_what_an_earlier_run_left_is_not_dropped_because_the_origin_is_empty_now() -> None:
    left = {f"web_{number}": entry(f"10.0.0.{number}", owner=OWNER) for number in range(1, 4)}
    async with syncing(Registry(), Registry(**left)) as seen:
        seen.answers = {(f"10.0.0.{number}", 80): "open" for number in range(1, 4)}
        await seen.until_true(lambda: seen.told("frozen"))
        assert all(sorted(wants) == ["web/1", "web/2", "web/3"] for wants in seen.holder.wants)


async def test_a_copy_gives_way_when_the_original_arrives_and_comes_back_when_it_goes() -> None:
    target = Registry()
    async with syncing(Registry(web_a=entry()), target) as seen:
        await seen.until("web/a")
        target.tell(web_a=entry(owner=OWNER))
        target.tell(web_a=entry(owner="host1.aabbccdd"))
        await seen.until()
        target.tell(web_a=None)
        await seen.until("web/a")


async def test_refused_and_lost_copies_are_told() -> None:
    async with syncing(Registry(web_a=entry(), web_b=entry("10.0.0.6")), Registry()) as seen:
        seen.holder.refuses = {"web/a"}
        await seen.until_true(lambda: seen.told("refused"))
        assert seen.told("refused") == ["web/a"]
        assert seen.sync.is_done, "what is refused is not waited for"
        seen.holder.lost = "the registry is away"
        await seen.until_true(lambda: seen.told("lost"))


async def test_what_cannot_be_understood_is_told_once() -> None:
    source = Registry(web_a=entry(), web_bad=b"rubbish")
    async with syncing(source, Registry()) as seen:
        await seen.until("web/a")
        source.tell(web_b=entry("10.0.0.6"))
        await seen.until("web/a", "web/b")
        assert seen.told("passed over") == [f"{PREFIX}/web/bad"]


def test_owners_differ_by_what_is_copied_where() -> None:
    assert owner_of("a", "b") == owner_of("a", "b")
    assert len({owner_of("a", "b"), owner_of("b", "a"), owner_of("a", "c")}) == 3
    assert owner_of("a", "b").startswith("sync.")
