"""The bookkeeping of a registrar's hand in ZooKeeper: what is told, what is to be written, removed, or looked at."""

from __future__ import annotations

import pytest

from longshore.core.entries import Entry
from longshore.core.layouts import LAYOUTS, layout_of
from longshore.registries.hold import LeaseStatus
from longshore.registries.zookeeper_standing import Standing, Standings
from longshore.registries.zookeeper_written import stem_of, written

PREFIX = "/ls"
OURS, OLD = 7, 6  # sessions


def entry(identity: str, port: int = 80, service: str = "web") -> Entry:
    return Entry(service, identity, "10.0.0.5", port, owner="h1")


def told(standings: Standings) -> dict[str, str]:
    return {status.id: status.state for status in standings.all()}


@pytest.fixture
def standings() -> Standings:
    """A session has begun, and nothing is left by an earlier run."""
    made = Standings("zookeeper", 10)
    made.begin(OURS)
    made.together()
    made.may_be_left = False
    return made


def want(standings: Standings, *entries: Entry, layout: str = "native") -> list[str]:
    """Say what is wanted; return the stems."""
    wanted, unwritable = written(LAYOUTS[layout], PREFIX, {f"{each.service}/{each.id}": each for each in entries})
    standings.want(wanted, unwritable)
    return list(wanted)


def settle(standings: Standings) -> None:
    """Do what is to be done, as if ZooKeeper did it at once."""
    odd, superseded = standings.odd()
    for wanted in standings.unsettled():
        nodes = standings.attempt(wanted)
        mine = [path for path, node in nodes.items() if node.session == OURS]
        standings.settled(wanted, mine[0] if mine else f"{wanted.stem}0000000001")
    for path in (*odd, *superseded):
        standings.removed(path)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/ls/web/one_0000000012", "/ls/web/one_"),
        ("/ls/web/one_-2147483648", "/ls/web/one_"),
        ("/ls/web/one", "/ls/web/one"),
        ("/ls/web/1234567890_0000000000", "/ls/web/1234567890_"),
    ],
)
def test_the_stem_is_what_a_sequential_node_was_created_with(path: str, stem: str) -> None:
    assert stem_of(path) == stem


@pytest.mark.parametrize(
    ("layout", "encoding", "stem"),
    [
        ("native", False, "/ls/web/one_"),
        ("nerve", False, "/ls/web/services/one_"),
        (
            "nerve",
            True,
            "/ls/web/services/base64_52_eyJob3N0IjoiMTAuMC4wLjUiLCJwb3J0Ijo4MCwibmFtZSI6IiJ9_",
        ),
    ],
)
def test_an_entry_is_written_at_its_stem(layout: str, encoding: bool, stem: str) -> None:
    wanted, unwritable = written(layout_of(layout, path_encoding=encoding), PREFIX, {"web/one": entry("one")})
    assert ([each.stem for each in wanted.values()], unwritable) == ([stem], {})


def test_what_cannot_be_written_is_refused_with_the_reason(standings: Standings) -> None:
    want(standings, entry("a/b"))
    (status,) = standings.all()
    assert (status.state, status.error) == ("refused", "'a/b' cannot be part of a key".replace("'", '"'))
    since = status.since
    want(standings, entry("a/b"))
    assert standings.all()[0].since == since
    want(standings, entry("one"), layout="serverset")
    assert [status.error for status in standings.all()] == ["layout serverset can only be read"]
    want(standings)
    assert standings.all() == ()


def test_an_entry_from_the_wish_to_the_end(standings: Standings) -> None:
    want(standings, entry("one"))
    assert told(standings) == {"one": "registering"}
    settle(standings)
    assert told(standings) == {"one": "held"}
    assert standings.all()[0].key == "/ls/web/one_0000000001"
    held = standings.all()
    want(standings, entry("one"))
    assert (standings.unsettled(), standings.odd(), standings.all()) == ([], ([], []), held)
    want(standings, entry("one", 81))
    assert told(standings) == {"one": "registering"}
    assert [wanted.value for wanted in standings.unsettled()] == [
        b'{"host":"10.0.0.5","port":81,"name":"","owner":"h1"}'
    ]
    settle(standings)
    want(standings)
    assert told(standings) == {"one": "withdrawing"}
    assert standings.odd() == (["/ls/web/one_0000000001"], [])
    settle(standings)
    assert (told(standings), standings.there) == ({}, {})


def test_a_wish_that_is_taken_back_before_anything_was_done_is_forgotten(standings: Standings) -> None:
    want(standings, entry("one"))
    want(standings)
    assert (told(standings), standings.unsettled()) == ({}, [])


def test_a_wish_that_is_taken_back_while_it_is_written_is_removed_afterwards(standings: Standings) -> None:
    want(standings, entry("one"))
    (wanted,) = standings.unsettled()
    standings.attempt(wanted)
    want(standings)
    assert told(standings) == {"one": "withdrawing"}
    standings.settled(wanted, f"{wanted.stem}0000000001")
    assert standings.odd()[0] == ["/ls/web/one_0000000001"]
    settle(standings)
    assert told(standings) == {}


def test_what_an_attempt_left_open_is_looked_at_before_anything_is_written(standings: Standings) -> None:
    (stem,) = want(standings, entry("one"))
    standings.attempt(*standings.unsettled())
    assert (standings.doubtful, standings.unsettled()) == ({stem}, [])
    standings.stand(stem, {f"{stem}0000000001": Standing(OURS, standings.wanted[stem].value)})  # it was done
    assert (told(standings), standings.unsettled()) == ({"one": "held"}, [])


def test_until_we_have_looked_an_earlier_run_may_have_left_it(standings: Standings) -> None:
    standings.may_be_left = True
    (stem,) = want(standings, entry("one"))
    assert (standings.doubtful, standings.unsettled()) == ({stem}, [])
    standings.stand(stem, {f"{stem}0000000001": Standing(OLD, standings.wanted[stem].value)})
    assert [wanted.stem for wanted in standings.unsettled()] == [stem]  # the old session ends: ours must hold it
    assert standings.strangers() == [(f"{stem}0000000001", Standing(OLD, standings.wanted[stem].value))]


def test_what_an_earlier_run_left_is_withdrawn_or_adopted(standings: Standings) -> None:
    for number, name in enumerate("ab"):
        standings.left(f"/ls/web/{name}_000000000{number}", Standing(OLD, b"x"), entry(name))
    assert told(standings) == {"a": "withdrawing", "b": "withdrawing"}
    standings.adopted("/ls/web/a_0000000000", "/ls/web/a_0000000005", b"x")
    assert told(standings) == {"a": "held", "b": "withdrawing"}
    want(standings, entry("a"))
    assert told(standings) == {"a": "registering", "b": "withdrawing"}
    settle(standings)
    assert told(standings) == {"a": "held"}
    assert list(standings.there["/ls/web/a_"]) == ["/ls/web/a_0000000005"]


def test_a_node_written_in_another_place_goes_after_the_new_one_stands(standings: Standings) -> None:
    """With Nerve's path encoding every change is another node."""
    layout = layout_of("nerve", path_encoding=True)
    for port in (80, 81):
        standings.want(*written(layout, PREFIX, {"web/one": entry("one", port), "web/two": entry("two", 90)}))
        if port == 80:
            settle(standings)
    odd, superseded = standings.odd()
    assert (odd, len(superseded)) == ([], 1)
    settle(standings)
    assert told(standings) == {"one": "held", "two": "held"}


def test_a_broken_connection_puts_everything_in_doubt_and_takes_nothing_away(standings: Standings) -> None:
    stems = want(standings, entry("one"), entry("two"))
    settle(standings)
    standings.apart("lost the connection")
    standings.doubt_all()
    assert told(standings) == {"one": "lost", "two": "lost"}
    assert {status.error for status in standings.all()} == {"lost the connection"}
    assert standings.doubtful == set(stems)
    for stem in stems:
        standings.stand(stem, dict(standings.there[stem]))
    standings.together()
    assert told(standings) == {"one": "held", "two": "held"}
    assert {status.error for status in standings.all()} == {""}


def test_the_end_of_the_session_is_the_end_of_what_stood_there(standings: Standings) -> None:
    want(standings, entry("one"), entry("two"))
    settle(standings)
    want(standings, entry("one"))
    standings.ended("expired")
    assert told(standings) == {"one": "registering"}
    assert [wanted.id for wanted in standings.unsettled()] == ["one"]


def test_what_is_refused_stays_in_doubt_and_is_told(standings: Standings) -> None:
    one, two = want(standings, entry("one"), entry("two"))
    settle(standings)
    want(standings, entry("one", 81))
    standings.refused({one, two}, "not allowed")
    errors = {status.id: (status.state, status.error) for status in standings.all()}
    assert errors == {"one": ("refused", "not allowed"), "two": ("withdrawing", "not allowed")}
    assert {one, two} <= standings.doubtful


def test_only_what_happens_to_our_own_nodes_is_doubted(standings: Standings) -> None:
    (stem,) = want(standings, entry("one"))
    settle(standings)
    standings.doubt(f"{stem}0000000099")
    standings.doubt("/ls/web/other_0000000001")
    assert standings.doubtful == set()
    standings.doubt(f"{stem}0000000001")
    assert standings.doubtful == {stem}
    standings.stand(stem, {})
    assert told(standings) == {"one": "registering"}


def test_statuses_are_told_by_service_and_id(standings: Standings) -> None:
    want(standings, entry("b"), entry("a"), entry("c", service="api"))
    statuses: tuple[LeaseStatus, ...] = standings.all()
    assert [(status.service, status.id) for status in statuses] == [("api", "c"), ("web", "a"), ("web", "b")]
    assert {(status.registry, status.ttl) for status in statuses} == {("zookeeper", 10)}


def test_what_is_wanted_again_before_it_was_removed_is_held(standings: Standings) -> None:
    """Nothing is to be written for it, so nothing else would say so."""
    want(standings, entry("one"))
    settle(standings)
    want(standings)
    assert told(standings) == {"one": "withdrawing"}
    want(standings, entry("one"))
    assert (told(standings), standings.unsettled(), standings.odd()) == ({"one": "held"}, [], ([], []))
