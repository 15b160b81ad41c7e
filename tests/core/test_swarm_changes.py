"""A Swarm that changes: who leaves when, what stays the identical object, and when it is worth looking again."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.core.model import EndpointState
from longshore.core.swarm import Swarm
from tests.core.swarm_made import node, service, services_of, swarm, task

READY, WAITING, STOPPING = EndpointState.READY, EndpointState.WAITING, EndpointState.STOPPING
WEB = {"host": "a.test", "port": "8000"}


def by_id(made: Swarm) -> dict[str, EndpointState]:
    return {endpoint.id.partition(":")[0]: endpoint.state for endpoint in services_of(made)["web"].endpoints}


def test_a_task_that_is_wanted_no_more_is_stopping_until_it_has_ended() -> None:
    one, two = task("web", 1), task("web", 2)
    made = swarm([service("web", WEB)], [one, two])
    made.take_running([one])
    assert by_id(made) == {"web.1": READY, "web.2": STOPPING}
    assert list(made.leaving) == ["web.2"]
    made.take_leaving(made.leaving, [task("web", 2, desired="shutdown")])
    assert by_id(made) == {"web.1": READY, "web.2": STOPPING}
    made.take_leaving(made.leaving, [task("web", 2, desired="shutdown", state="shutdown")])
    assert by_id(made) == {"web.1": READY}
    assert not made.leaving


def test_a_task_that_the_manager_forgot_is_gone() -> None:
    made = swarm([service("web", WEB)], [task("web", 1)])
    made.take_running([])
    made.take_leaving(made.leaving, [])
    assert by_id(made) == {}
    assert not made.leaving


@pytest.mark.parametrize("first", ["start-first", "stop-first"])
def test_a_rolling_update_never_has_fewer_ready_than_the_swarm_has(first: str) -> None:
    """start-first: the new task runs before the old one leaves; stop-first: the other way round."""
    old = [task("web", n, id=f"old{n}", number=n) for n in (1, 2)]
    made = swarm([service("web", WEB, copies=2, update="updating")], old)
    coming = task("web", 1, id="new1", number=11, state="starting")
    there = task("web", 1, id="new1", number=11)
    if first == "start-first":
        made.take_running([*old, coming])
        assert by_id(made) == {"old1": READY, "old2": READY, "new1": WAITING}
        made.take_running([old[1], there])
        assert by_id(made) == {"old1": STOPPING, "old2": READY, "new1": READY}
    else:
        made.take_running([old[1]])
        assert by_id(made) == {"old1": STOPPING, "old2": READY}
        made.take_leaving(["old1"], [])
        made.take_running([old[1], coming])
        assert by_id(made) == {"old2": READY, "new1": WAITING}
        made.take_running([old[1], there])
        assert by_id(made) == {"old2": READY, "new1": READY}
    assert made.updating


def test_a_service_that_is_removed_takes_its_endpoints_along() -> None:
    made = swarm([service("web", WEB)], [task("web")])
    made.take_services([])
    made.take_running([])
    assert services_of(made) == {}
    made.take_leaving(made.leaving, [])
    assert made.settled


@pytest.mark.parametrize("slot", [1, 0], ids=["replicated", "global"])
def test_a_task_of_a_node_that_is_down_stays_until_another_runs_in_its_place(slot: int) -> None:
    old = task("web", slot, "h2", id="old")
    made = swarm([service("web", WEB, copies=1 if slot else None)], [old])
    made.take_nodes([node("h1"), node("h2", state="down")])
    assert by_id(made) == {"old": READY}
    coming = task("web", slot, "h1" if slot else "h2", id="new", state="preparing", number=9)
    made.take_running([coming])
    assert by_id(made)["old"] is READY
    made.take_leaving(made.leaving, [task("web", slot, "h2", id="old", desired="shutdown")])
    assert by_id(made)["old"] is READY
    made.take_running([task("web", slot, "h1" if slot else "h2", id="new", number=9)])
    assert by_id(made) == {"new": READY}


def test_a_node_that_comes_back_shuts_down_what_it_shall_not_run() -> None:
    made = swarm([service("web", WEB)], [task("web", 1, "h2")])
    made.take_nodes([node("h2", state="down")])
    made.take_running([])
    assert by_id(made) == {"web.1": READY}
    made.take_nodes([node("h2")])
    assert by_id(made) == {"web.1": STOPPING}


@pytest.mark.parametrize("availability", ["pause", "drain"])
def test_the_tasks_of_a_node_follow_their_own_state_not_its_availability(availability: str) -> None:
    """A drained node's tasks leave when the Swarm says so of each of them; a paused node keeps its tasks."""
    made = swarm([service("web", WEB)], [task("web", 1, "h2")])
    made.take_nodes([node("h2", availability=availability)])
    assert by_id(made) == {"web.1": READY}


def test_what_did_not_change_is_the_identical_object() -> None:
    documents = [service("web", WEB), service("api", WEB | {"host": "b.test"})]
    tasks = [task("web", 1), task("api", 1, number=2)]
    made = swarm(documents, tasks)
    before = services_of(made)
    made.take_services(documents)
    made.take_running(tasks)
    assert services_of(made)["web"] is before["web"]
    made.take_running([tasks[0], task("api", 1, number=2), task("api", 2, number=3)])
    after = services_of(made)
    assert after["web"] is before["web"]
    assert len(after["api"].endpoints) == 2
    made.take_nodes([node("h1", labels={"longshore.zone": "east"})])
    assert services_of(made)["web"].endpoints[0].zone == "east"


def test_the_result_depends_on_what_is_held_not_on_how_it_came() -> None:
    documents = [service("web", WEB)]
    tasks = [task("web", n, id=f"t{n}") for n in (1, 2, 3)]
    changed = swarm(documents, tasks[:1])
    changed.take_running(tasks)
    changed.take_running([*reversed(tasks)])
    assert changed.build() == swarm(documents, tasks).build()


@pytest.mark.parametrize(
    ("copies", "tasks", "settled"),
    [
        (2, [task("web", 1), task("web", 2)], True),
        (2, [task("web", 1)], False),
        (1, [task("web", 1), task("web", 2)], False),
        (1, [task("web", 1, state="starting")], False),
        (1, [task("web", 1, "", state="pending")], False),
        (None, [task("web", 0, "h1", id="a"), task("web", 0, "h2", id="b")], True),
        (0, [], True),
    ],
)
def test_it_is_settled_when_everything_wanted_runs(copies: int | None, tasks: list[Any], settled: bool) -> None:
    assert swarm([service("web", WEB, copies)], tasks).settled is settled


@pytest.mark.parametrize(
    ("update", "updating"),
    [
        ("updating", True),
        ("rollback_started", True),
        ("completed", False),
        ("paused", False),
        ("rollback_paused", False),
    ],
)
def test_an_update_or_a_roll_back_is_under_way(update: str, updating: bool) -> None:
    assert swarm([service("web", WEB, update=update)], []).updating is updating
