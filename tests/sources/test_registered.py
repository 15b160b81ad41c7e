"""The loop of registry sources: whole snapshots, stale but never empty, a sudden loss doubted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from longshore.clients.registry_faults import RegistryError
from longshore.core.model import Problem
from longshore.sources.registered import Patience, back_off
from tests.sources.registry_watching import Registry, entry, watching

AWAY = RegistryError("etcd at http://10.0.0.1:2379 does not answer", "is it running?")


async def test_a_snapshot_is_whole_from_the_first_one_on() -> None:
    async with watching(Registry(web_a=entry(), api_a=entry("10.0.0.6"))) as seen:
        await seen.until(lambda: bool(seen.last.services))
        assert len(seen.snapshots) == 1
        assert seen.endpoints == ["api/a", "web/a"]
        assert seen.last.stale == ""


async def test_one_batch_is_one_snapshot_and_unchanged_services_are_the_same_object() -> None:
    registry = Registry(web_a=entry(), api_a=entry("10.0.0.6"))
    async with watching(registry) as seen:
        await seen.until(lambda: True)
        before = seen.last.services[0]
        registry.tell(web_b=entry("10.0.0.7"), web_a=None)
        await seen.until(lambda: seen.endpoints == ["api/a", "web/b"])
        assert len(seen.snapshots) == 2
        assert seen.last.services[0] is before


async def test_a_batch_that_changes_nothing_publishes_nothing() -> None:
    registry = Registry(web_a=entry())
    async with watching(registry) as seen:
        await seen.until(lambda: True)
        registry.tell(web_a=entry())
        registry.tell(web_b=entry("10.0.0.7"))
        await seen.until(lambda: len(seen.endpoints) == 2)
        assert len(seen.snapshots) == 2


async def test_a_registry_that_goes_away_leaves_its_last_snapshot_stale() -> None:
    registry = Registry(web_a=entry())
    async with watching(registry, clock=lambda: 0.0) as seen:
        await seen.until(lambda: True)
        services = seen.last.services
        registry.fail(AWAY)
        await seen.until(lambda: bool(seen.last.stale))
        assert seen.last.services == services
        assert seen.last.stale.startswith("etcd at http://10.0.0.1:2379 does not answer, since ")
        assert list(seen.last.problems) == [Problem("source etcd", AWAY.what, AWAY.hint)]
        registry.content["web/b"] = entry("10.0.0.6")
        registry.away = None
        await seen.until(lambda: not seen.last.stale)
        assert seen.endpoints == ["web/a", "web/b"]
        assert registry.listings == 2
        assert not seen.last.problems


async def test_a_registry_that_was_never_reached_publishes_no_services_and_why() -> None:
    registry = Registry()
    registry.away = AWAY
    async with watching(registry) as seen:
        await seen.until(lambda: True)
        assert seen.last.services == ()
        assert "does not answer" in seen.last.stale


async def test_while_it_is_away_the_same_failure_is_said_once() -> None:
    registry = Registry(web_a=entry())
    async with watching(registry) as seen:
        await seen.until(lambda: True)
        registry.fail(AWAY)
        await seen.until(lambda: bool(seen.last.stale))
        count = len(seen.snapshots)
        registry.away = RegistryError("etcd refuses the password", "check it")
        await seen.until(lambda: "password" in seen.last.stale)
        assert len(seen.snapshots) == count + 1


async def test_a_sudden_loss_keeps_what_answers_until_it_is_thawed() -> None:
    registry = Registry(**{f"web_{number}": entry(f"10.0.0.{number}") for number in range(1, 6)})
    async with watching(registry) as seen:
        await seen.until(lambda: len(seen.endpoints) == 5)
        seen.answers[("10.0.0.1", 80)] = "open"
        registry.tell(**{f"web_{number}": None for number in range(1, 6)})
        await seen.until(lambda: seen.endpoints == ["web/1"])
        assert all("web/1" in [f"{s.name}/{e.id}" for s in one.services for e in s.endpoints] for one in seen.snapshots)
        assert [problem.hint for problem in seen.last.problems] == [
            "if they are meant to go: longshore thaw etcd",
        ]
        assert seen.gate.kept == 1
        assert seen.gate.thaw() == 1
        assert seen.endpoints == []
        assert not seen.last.problems


async def test_kept_endpoints_go_when_they_stop_answering_and_are_plain_when_they_return() -> None:
    registry = Registry(**{f"web_{number}": entry(f"10.0.0.{number}") for number in range(1, 4)})
    async with watching(registry) as seen:
        await seen.until(lambda: len(seen.endpoints) == 3)
        seen.answers = {(f"10.0.0.{number}", 80): "open" for number in range(1, 4)}
        registry.tell(**{f"web_{number}": None for number in range(1, 4)})
        await seen.until(lambda: seen.gate.kept == 3)
        registry.tell(web_1=entry("10.0.0.1"))
        await seen.until(lambda: seen.gate.kept == 2)
        del seen.answers[("10.0.0.2", 80)]
        await seen.until(lambda: seen.endpoints == ["web/1", "web/3"])
        seen.answers[("10.0.0.3", 80)] = "silent"
        await seen.until(lambda: seen.endpoints == ["web/1"])
        assert not seen.last.problems


async def test_after_a_restart_the_first_listing_is_compared_with_what_was_served() -> None:
    registry = Registry(**{f"web_{number}": entry(f"10.0.0.{number}") for number in range(1, 4)})
    async with watching(registry) as seen:
        await seen.until(lambda: len(seen.endpoints) == 3)
    async with watching(Registry(), last=seen.last) as after:
        after.answers[("10.0.0.2", 80)] = "open"
        await after.until(lambda: after.gate.kept == 1)
        assert after.endpoints == ["web/2"]


async def test_host_names_are_looked_up_in_the_background() -> None:
    found: dict[str, tuple[str, ...]] = {"vm1": ("10.0.0.9",)}

    def lookup(name: str) -> Sequence[str]:
        if name not in found:
            raise OSError(0, "no such name")
        return found[name]

    registry = Registry(web_a=entry("vm1"), web_b=entry("vm2"), api_a=entry())
    async with watching(registry, lookup=lookup, refresh=0.01) as seen:
        await seen.until(lambda: seen.endpoints == ["api/a", "web/a"] and bool(seen.last.problems))
        assert seen.last.services[1].endpoints[0].address == "10.0.0.9"
        assert [problem.what for problem in seen.last.problems] == ["vm2 does not resolve: no such name"]
        registry.tell(web_b=None)
        await seen.until(lambda: not seen.last.problems)


async def test_a_source_can_be_ended_at_any_time() -> None:
    async with watching(Registry()):
        pass
    registry = Registry()
    registry.away = AWAY
    async with watching(registry):
        await asyncio.sleep(0.01)


async def test_a_defect_of_an_adapter_is_not_hidden() -> None:
    class Broken(Registry):
        async def list_then_stream(self, sink: object) -> None:  # type: ignore[override]
            raise KeyError("a bug")

    with pytest.raises(AssertionError):
        async with watching(Broken()):
            await asyncio.sleep(0.05)


def test_tries_come_slower_and_never_in_step() -> None:
    patience = Patience(first=0.1, longest=5.0)
    first = [back_off(patience, 0) for _ in range(100)]
    late = [back_off(patience, 1000) for _ in range(100)]
    assert all(0.05 <= seconds <= 0.1 for seconds in first)
    assert all(2.5 <= seconds <= 5.0 for seconds in late)
    assert len(set(late)) > 50
