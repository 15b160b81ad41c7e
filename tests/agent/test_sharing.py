"""When a port that another HAProxy shares is joined, and what is said of it."""

from __future__ import annotations

import pytest

from longshore.agent.ports import Ports
from longshore.agent.prober import Waiting
from longshore.agent.sharing import SEARCH, TRIES, Sharing, fit
from longshore.core.model import Service, Snapshot

TOLD = Snapshot("docker", services=(Service("web"),))
AWAY = Snapshot("docker", stale="it cannot be reached")
SAVED = Snapshot("docker", services=(Service("web"),), stale="it cannot be reached")


@pytest.mark.parametrize(
    ("snapshots", "attempts", "empty", "since", "expected"),
    [
        ([TOLD], [], [], 0.0, True),
        ([TOLD, None], [], [], 0.0, False),
        ([TOLD, AWAY], [], [], 0.0, False),
        ([TOLD, SAVED], [], [], 0.0, True),
        ([Snapshot("docker")], [], [], 0.0, True),
        ([TOLD], [TRIES, 0], [], 0.0, False),
        ([TOLD], [TRIES], [], 0.0, True),
        ([TOLD], [], ["dns"], SEARCH, False),
        ([TOLD], [], ["dns"], SEARCH + 1, True),
    ],
)
def test_who_would_not_serve_all_takes_nothing_over(
    snapshots: list[Snapshot | None], attempts: list[int], empty: list[str], since: float, expected: bool
) -> None:
    assert fit(snapshots, [Waiting(count, "refused") for count in attempts], empty, since) is expected


class Told:
    """A sharing with a journal and a count of the rounds that it asked for."""

    def __init__(self) -> None:
        self.ports = Ports(lambda _: [])
        self.journal: list[str] = []
        self.rounds = 0
        self.sharing = Sharing(self.ports, "/nowhere", lambda what, why: self.journal.append(what), self._poke)

    def _poke(self) -> None:
        self.rounds += 1


def test_what_is_shared_is_joined_when_all_is_ready_and_settled_when_it_was_taken_over() -> None:
    told = Told()
    sharing = told.sharing
    assert sharing.settled
    told.ports.shared = {":80": "haproxy (pid 7)"}
    sharing.note((), ready=False)
    assert (sharing.waiting, sharing.settled, told.ports.joins) == ((":80",), False, set())
    sharing.note((), ready=True)
    assert (told.rounds, told.ports.joins) == (1, {":80"})
    sharing.note({":80"}, ready=True)  # the round that brought it: what it had found before still stands
    assert [each.state for each in sharing.addresses.values()] == ["beside"]
    assert not sharing.settled, "it is not taken over yet"
    assert told.journal == [":80 is shared", ":80 is joined"]


def test_each_address_is_joined_by_itself_and_what_comes_later_as_well() -> None:
    told = Told()
    sharing = told.sharing
    told.ports.shared = {":80": "haproxy (pid 7)"}
    sharing.note((), ready=True)
    sharing.note({":80"}, ready=True)
    told.ports.shared = {":81": "haproxy (pid 7)"}
    sharing.note({":80"}, ready=True)
    assert sharing.waiting == (":81",)
    assert (told.rounds, told.ports.joins) == (2, {":81"})
    told.ports.shared = {}  # HAProxy was reloaded for another reason meanwhile: it is ours by now
    sharing.note({":80", ":81"}, ready=True)
    assert [each.state for each in sharing.addresses.values()] == ["beside", "beside"]
    assert not told.ports.joins
    told.ports.shared = {":80": "haproxy (pid 7)"}  # ours ended, and the other one has it still
    sharing.note({":81"}, ready=True)
    assert sharing.waiting == (":80",)


def test_a_port_that_became_free_meanwhile_is_simply_ours() -> None:
    told = Told()
    told.ports.shared = {":80": "haproxy (pid 7)"}
    told.sharing.note((), ready=False)
    told.ports.shared = {}
    told.sharing.note({":80"}, ready=False)
    assert told.sharing.addresses == {}
    assert told.sharing.settled
