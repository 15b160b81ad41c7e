"""When a port that another HAProxy shares is joined, and what is said of it."""

from __future__ import annotations

from longshore.agent.ports import Ports
from longshore.agent.sharing import Sharing
from longshore.core.model import Endpoint, Service


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


def test_where_nobody_would_be_found_the_other_one_goes_on() -> None:
    """The others are joined; this one when it has somebody, or when the other one has gone."""
    told = Told()
    sharing = told.sharing
    told.ports.shared = {":80": "haproxy (pid 7)", ":81": "haproxy (pid 7)"}
    sharing.note((), ready=False, barren={":81": ("web",)})
    assert sharing.problems({"web": Service("web")}) == (), "it is not known yet"
    sharing.note((), ready=True, barren={":81": ("web",)})
    assert told.ports.joins == {":80"}
    (problem,) = sharing.problems({"web": Service("web")})
    assert problem.service == "web"
    assert problem.what == "no endpoint found for it at :81; haproxy (pid 7) goes on serving it"
    one = Endpoint("a", "a", "10.0.0.1", 80)
    (problem,) = sharing.problems({"web": Service("web", endpoints=(one,))})
    assert "its endpoint may not be used yet" in problem.what
    assert [each.until for each in sharing.addresses.values()] == ["", "service web has an endpoint"]
    sharing.note({":80"}, ready=True, barren={":81": ("web",)})
    assert sharing.waits_for == (
        "an endpoint of service web: :81 stays with haproxy (pid 7) until then",
        "taking over :80",
    )
    assert not sharing.settled
    sharing.note({":80"}, ready=True, barren={})
    assert told.ports.joins == {":81"}
    assert sharing.problems({"web": Service("web")}) == ()
    assert told.journal.count(":81 stays with haproxy (pid 7)") == 1


def test_whose_other_one_has_gone_is_listened_on_without_anybody_as_well() -> None:
    told = Told()
    told.ports.shared = {":81": "haproxy (pid 7)"}
    told.sharing.note((), ready=True, barren={":81": ("web",)})
    told.ports.shared = {}
    told.sharing.note({":81"}, ready=True, barren={})
    assert told.sharing.settled
    assert told.sharing.barren == {}
