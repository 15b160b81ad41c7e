"""Desired: unknown is never empty, and what is gone is remembered for a while."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from longshore.agent.desired import Desired
from longshore.agent.store import State, Store
from longshore.core.model import Endpoint, Policy, Route, Service, Snapshot
from longshore.core.overrides import Overrides

WEB = Service("web", routes=(Route("web.test"),), endpoints=(Endpoint("a:80", "a", "10.0.0.1", 80),))


def desired(tmp_path: Path, *sources: str, state: State | None = None, forget_after: float = 60.0) -> Desired:
    return Desired(
        sources or ("docker",),
        forget_after=forget_after,
        reserved={},
        store=Store(tmp_path),
        state=state or State(),
    )


def endpoints(made: Desired) -> dict[str, list[str]]:
    return {service.name: [e.id for e in service.endpoints] for service in made.services()}


async def test_a_snapshot_becomes_services(tmp_path: Path) -> None:
    made = desired(tmp_path)
    assert made.publish(Snapshot("docker", (WEB,)))
    assert endpoints(made) == {"web": ["a:80"]}
    assert not made.publish(Snapshot("docker", (WEB,))), "the same again is no news"


async def test_a_stale_source_keeps_what_it_knew(tmp_path: Path) -> None:
    made = desired(tmp_path)
    made.publish(Snapshot("docker", (WEB,)))
    made.publish(Snapshot("docker", (), stale="engine does not answer"))
    assert endpoints(made) == {"web": ["a:80"]}
    assert "does not answer" in made.problems[0].what


async def test_before_a_source_answers_what_was_saved_counts(tmp_path: Path) -> None:
    made = desired(tmp_path, state=State(snapshots=(Snapshot("docker", (WEB,), stale="saved"),)))
    assert endpoints(made) == {"web": ["a:80"]}
    assert not made.complete
    made.publish(Snapshot("docker", (), stale="engine does not answer"))
    assert endpoints(made) == {"web": ["a:80"]}
    made.publish(Snapshot("docker"))
    assert endpoints(made) == {"web": []}, "an answer is the truth, and the service is remembered"


async def test_a_service_without_endpoints_is_remembered_until_its_time_is_up(tmp_path: Path) -> None:
    made = desired(tmp_path, forget_after=5.0)
    made.publish(Snapshot("docker", (WEB,)))
    made.services()
    made.publish(Snapshot("docker"))
    assert endpoints(made) == {"web": []}
    gone = made.remembered.kept["web"].since
    assert not made.tick(gone + 4.9)
    assert made.tick(gone + 5.1)
    assert endpoints(made) == {}


async def test_an_operators_drain_becomes_maint_when_its_time_is_over(tmp_path: Path) -> None:
    made = desired(tmp_path)
    made.publish(Snapshot("docker", (Service("web", policy=Policy(drain=10.0), endpoints=WEB.endpoints),)))
    made.services()
    made.overrides = Overrides().with_admin("web", "a:80", "drain", 100.0)
    assert not made.tick(109.0)
    assert made.tick(110.0)
    assert made.overrides.admin("web", "a:80") == "maint"


async def test_what_is_known_outlives_a_restart(tmp_path: Path) -> None:
    made = desired(tmp_path)
    made.publish(Snapshot("docker", (WEB,)))
    made.services()
    made.overrides = made.overrides.with_weight("web", "", 7, 1.0)
    made.save()
    await made.store.close()
    again = desired(tmp_path, state=Store(tmp_path).load())
    assert endpoints(again) == {"web": ["a:80"]}
    assert again.overrides.weight("web", "a:80") == 7


async def test_what_was_said_last_is_saved_before_anything_is_done_with_it(tmp_path: Path) -> None:
    made = desired(tmp_path, state=State(owners={"web.test/": "web"}))
    made.publish(Snapshot("docker", (WEB,)))
    made.save()
    await made.store.close()
    saved = Store(tmp_path).load()
    assert [service.name for snapshot in saved.snapshots for service in snapshot.services] == ["web"]
    assert list(saved.owners.values()) == ["web"]


async def test_a_source_that_left_the_configuration_is_not_heard(tmp_path: Path) -> None:
    made = desired(tmp_path, "docker", "file")
    made.publish(Snapshot("docker", (WEB,)))
    made.set_sources(("file",), forget_after=0.0, reserved={})
    assert endpoints(made) == {}
    assert not made.publish(Snapshot("docker", (WEB,)))


async def test_a_service_may_move_to_another_source(tmp_path: Path) -> None:
    """What a source knew that the configuration dropped stays until the new ones have answered."""
    made = desired(tmp_path, "etcd", "docker")
    made.publish(Snapshot("docker"))
    made.publish(Snapshot("etcd", (WEB,)))
    made.set_sources(("zookeeper", "docker"), forget_after=0.0, reserved={})
    assert endpoints(made) == {"web": ["a:80"]}
    assert "stays in use until zookeeper answers" in made.problems[0].what
    made.publish(Snapshot("zookeeper", (), stale="no connection"))
    assert endpoints(made) == {"web": ["a:80"]}, "nothing is known of the new one yet"
    moved = replace(WEB, endpoints=(Endpoint("b:80", "b", "10.0.0.2", 80),))
    assert made.publish(Snapshot("zookeeper", (moved,)))
    assert endpoints(made) == {"web": ["b:80"]}
    assert not made.problems


async def test_a_service_may_move_between_sources_that_stay(tmp_path: Path) -> None:
    """Each source tells its new part at a moment of its own, whichever is first."""
    made = desired(tmp_path, "etcd", "zookeeper")
    made.publish(Snapshot("etcd", (WEB,)))
    made.publish(Snapshot("zookeeper"))
    made.set_sources(("etcd", "zookeeper"), changed={"etcd", "zookeeper"}, forget_after=0.0, reserved={})
    made.publish(Snapshot("etcd"))
    assert endpoints(made) == {"web": ["a:80"]}
    assert made.publish(Snapshot("zookeeper")), "it says the same as before, and still it is news"
    assert endpoints(made) == {}


async def test_what_is_dropped_is_not_saved(tmp_path: Path) -> None:
    made = desired(tmp_path, "etcd")
    made.publish(Snapshot("etcd", (WEB,)))
    made.set_sources(("zookeeper",), forget_after=0.0, reserved={})
    made.save()
    await made.store.flush()
    assert made.store.load().snapshots == ()


async def test_first_answers_waits_for_every_source_and_no_longer_than_told(tmp_path: Path) -> None:
    made = desired(tmp_path, "docker", "file")
    made.publish(Snapshot("docker"))
    await made.first_answers(0.01)
    waiting = asyncio.create_task(made.first_answers(30.0))
    made.publish(Snapshot("file"))
    await asyncio.wait_for(waiting, 10.0)
