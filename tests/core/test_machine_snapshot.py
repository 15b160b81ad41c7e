"""A machine's snapshot as a line: what an agent tells is what its subscriber reads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.containers import Container, Machine, Network, Published
from longshore.core.machine_snapshot import MachineSnapshot, Reader, line, read
from longshore.core.model import Problem
from tests.core.made import container, published

MACHINE = Machine("h1", "10.0.0.1", "east")
text = st.text(max_size=8)
containers = st.builds(
    Container,
    id=st.text("0123456789abcdef", min_size=12, max_size=64),
    name=st.text(min_size=1, max_size=8),
    image=text,
    labels=st.dictionaries(text, text, max_size=3),
    status=st.sampled_from(["running", "paused", "restarting"]),
    health=st.sampled_from(["", "healthy", "unhealthy"]),
    networks=st.lists(st.builds(Network, text, text, text, text), max_size=2).map(tuple),
    published=st.lists(st.builds(Published, st.integers(1, 65535), text, text, st.integers(0, 65535)), max_size=2).map(
        tuple
    ),
    exposed=st.lists(st.tuples(st.integers(1, 65535), text), max_size=2).map(tuple),
    network_mode=text,
    stop_signal=text,
    created=st.floats(0, 1e10),
    started=st.floats(0, 1e10),
    stopping=st.booleans(),
    since=st.floats(0, 1e10),
)


@given(st.lists(containers, max_size=3, unique_by=lambda each: each.id), text)
def test_what_is_told_is_what_is_read(told: list[Container], stale: str) -> None:
    problems = (Problem("container x", "is odd", "mend it"),)
    snapshot = MachineSnapshot("engine", MACHINE, tuple(told), problems, stale)
    spelled = line(snapshot)
    assert spelled.count(b"\n") == 1
    expected = tuple(replace(each, machine=MACHINE) for each in told)
    assert read(spelled) == replace(snapshot, containers=expected)


def test_secrets_in_the_environment_are_never_told() -> None:
    told = container("web", env={"PASSWORD": "hidden"}, published=published(80, 8080))
    assert b"hidden" not in line(MachineSnapshot("engine", MACHINE, (told,)))


def test_what_a_later_version_adds_is_ignored() -> None:
    document = json.loads(line(MachineSnapshot("engine", MACHINE, (container("web"),))))
    document["mood"] = document["machine"]["mood"] = "good"
    document["containers"] = [json.dumps({**json.loads(document["containers"][0]), "mood": "good"})]
    assert [each.name for each in read(json.dumps(document)).containers] == ["web"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "{}",
        '{"format": 2, "machine": {"id": "x"}}',
        '{"format": 1, "machine": 5}',
        '{"format": 1, "machine": {"id": "x"}, "containers": [5]}',
        '{"format": 1, "machine": {"id": "x"}, "containers": ["{\\"name\\": \\"no id\\"}"]}',
        '{"format": 1, "machine": {"id": "x"}, "containers": ["{\\"id\\": 5, \\"name\\": \\"x\\"}"]}',
        '{"format": 1, "machine": {"id": "x"}, "containers": ["{\\"id\\": \\"x\\", \\"exposed\\": [[]]}"]}',
        '{"format": 1, "machine": {"id": "x"}, "containers": ["{"]}',
        '{"format": 1, "machine": {"id": "x"}, "containers": [[]]}',
        '{"format": 1, "machine": {"id": "x"}, "problems": [[1]]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_snapshot_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_what_is_told_in_the_same_words_is_the_identical_object() -> None:
    reader = Reader()
    one, two = container("one", 1), container("two", 2)
    before = reader.read(line(MachineSnapshot("engine", MACHINE, (one, two)))).containers
    after = reader.read(line(MachineSnapshot("engine", MACHINE, (one, replace(two, stopping=True))))).containers
    assert after[0] is before[0]
    assert after[1] == replace(before[1], stopping=True)
    moved = reader.read(line(MachineSnapshot("engine", Machine("other"), (one,)))).containers
    assert moved[0].machine == Machine("other")
