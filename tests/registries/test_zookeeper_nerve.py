"""The bookkeeping of entries in ZooKeeper as Nerve has them: many of one instance in a folder, nodes that stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.core.entries import Entry, Manner, NodeType
from longshore.core.layouts import layout_of
from longshore.registries.zookeeper_standing import Standing, Standings
from longshore.registries.zookeeper_written import Wanted, written

FOLDER = "/nerve/web"
OURS, OLD = 7, 6  # sessions


def entry(service: str, port: int, node: NodeType = "ephemeral-sequential", *, encoded: bool = False) -> Entry:
    return Entry(service, "i-1", "10.0.0.5", port, "i-1", owner="h1", manner=Manner(FOLDER, encoded, node))


@pytest.fixture
def standings() -> Standings:
    """A session has begun, and nothing is left by an earlier run."""
    made = Standings("zookeeper", 10)
    made.begin(OURS)
    made.together()
    made.may_be_left = False
    return made


def want(standings: Standings, *entries: Entry) -> list[Wanted]:
    wanted, unwritable = written(layout_of("nerve"), "/ls", {f"{each.service}/{each.id}": each for each in entries})
    standings.want(wanted, unwritable)
    return list(wanted.values())


def told(standings: Standings) -> dict[str, str]:
    return {status.service: status.state for status in standings.all()}


def test_services_of_one_instance_share_a_folder_and_a_stem(standings: Standings) -> None:
    one, two = want(standings, entry("one", 80), entry("two", 81))
    assert one.stem == two.stem == "/nerve/web/i-1_"
    standings.settled(one, "/nerve/web/i-1_0000000001")
    assert told(standings) == {"one": "held", "two": "registering"}
    standings.settled(two, "/nerve/web/i-1_0000000002")
    assert [status.key for status in standings.all()] == ["/nerve/web/i-1_0000000001", "/nerve/web/i-1_0000000002"]
    want(standings, entry("two", 81))
    assert standings.odd() == (["/nerve/web/i-1_0000000001"], [])
    standings.doubt("/nerve/web/i-1_0000000002")
    assert standings.doubtful == {two.slot}
    standings.removed("/nerve/web/i-1_0000000001")
    assert told(standings) == {"two": "held"}


def test_another_port_is_written_before_the_old_one_goes(standings: Standings) -> None:
    (before,) = want(standings, entry("one", 80))
    standings.settled(before, "/nerve/web/i-1_0000000001")
    (after,) = want(standings, entry("one", 81))
    assert standings.unsettled() == [after]
    assert standings.odd() == ([], ["/nerve/web/i-1_0000000001"])


@pytest.mark.parametrize("encoded", [False, True])
def test_the_same_endpoint_stands_there_once(standings: Standings, encoded: bool) -> None:
    """Twice the same node would be two endpoints to Synapse."""
    want(standings, entry("one", 80, encoded=encoded), entry("two", 80, encoded=encoded))
    assert told(standings) == {"one": "registering", "two": "refused"}
    assert "one/i-1 has the same node /nerve/web/" in {each.service: each.error for each in standings.all()}["two"]


@pytest.mark.parametrize(
    ("node", "path", "session"),
    [
        pytest.param(
            "ephemeral-sequential", "/nerve/web/i-1_0000000001", OURS, id="A3 node_type: ephemeral_sequential"
        ),
        pytest.param("ephemeral", "/nerve/web/i-1_", OURS, id="A3 node_type: ephemeral, without a number"),
        pytest.param("persistent-sequential", "/nerve/web/i-1_0000000001", 0, id="A3 node_type: persistent_sequential"),
        pytest.param("persistent", "/nerve/web/i-1_", 0, id="A3 node_type: persistent, without a number"),
    ],
)
def test_each_kind_of_node_stands_by_its_own_rule(
    standings: Standings, node: NodeType, path: str, session: int
) -> None:
    (wanted,) = want(standings, entry("one", 80, node))
    for other_path, other_session in (("/nerve/web/i-1_0000000009", OURS), ("/nerve/web/i-1_", OURS), (path, OLD)):
        if other_session != session or (other_path == wanted.stem) == wanted.numbered:
            standings.stand(wanted.slot, {other_path: Standing(other_session, wanted.value)})
            assert standings.unsettled() == [wanted]
    standings.settled(wanted, path)
    assert standings.there[wanted.slot] == {path: Standing(session, wanted.value)}
    assert (standings.unsettled(), told(standings)) == ([], {"one": "held"})
    assert standings.lasting() == ([] if session else [path])
    assert standings.strangers() == []


def test_entries_of_one_name_without_a_number_cannot_stand_side_by_side(standings: Standings) -> None:
    want(standings, entry("one", 80, "ephemeral"), entry("two", 81, "ephemeral"))
    assert told(standings) == {"one": "registering", "two": "refused"}


def test_what_only_changes_its_weight_keeps_its_node(standings: Standings) -> None:
    (before,) = want(standings, entry("one", 80))
    standings.settled(before, "/nerve/web/i-1_0000000001")
    (after,) = want(standings, replace(entry("one", 80), weight=5))
    assert (before.slot, standings.odd()) == (after.slot, ([], []))
    assert standings.unsettled() == [after]
