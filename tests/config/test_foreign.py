"""A forerunner's configuration, said in our terms, goes through the same validation as a file of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longshore.config import Loaded, load
from longshore.config.document import Document
from longshore.config.load import set_aside
from longshore.config.problems import ConfigProblem, Place


def document(data: dict[str, Any], **places: Place) -> Document:
    """What a reader of a forerunner's configuration gives; `places` by the service they are of."""
    found = Document("old.json", data=data)
    for name, place in places.items():
        found.values["services", name] = found.keys["services", name] = place
    return found


def loaded(data: dict[str, Any], **places: Place) -> Loaded:
    return load(None, {}, root=True, foreign=lambda: document(data, **places))


GOOD = {"endpoints": ["10.0.0.1:80"], "host": "a.test"}


def test_only_what_it_says_is_listened_to_and_discovered() -> None:
    config = loaded({"services": {"web": dict(GOOD)}}).config
    assert not config.frontends
    assert not config.sources
    assert list(config.services) == ["web"]


def test_a_service_that_is_wrong_is_set_aside_and_said_with_its_place() -> None:
    found = loaded(
        {"services": {"web": dict(GOOD), "db": {"endpoints": ["nonsense"]}, "x": {**GOOD, "weigth": 3}}},
        db=Place("old.json", 7, 3),
        x=Place("old.json", 9, 3),
    )
    assert list(found.config.services) == ["web"]
    assert [(str(p.place), p.service) for p in found.set_aside] == [("old.json:7:3", "db"), ("old.json:9:3", "x")]
    assert [problem.service for problem in set_aside(found)] == ["db", "x"]


def test_what_concerns_the_whole_stops_it() -> None:
    found = loaded({"services": {"web": dict(GOOD)}, "haproxy": {"max-connections": "many"}})
    assert found.valid is None
    assert [problem.path for problem in found.problems] == ["haproxy.max-connections"]


def test_notes_come_through_in_the_order_of_the_file() -> None:
    def foreign() -> Document:
        made = document({"services": {"web": dict(GOOD)}})
        made.notes += [ConfigProblem(Place("old.json", line), f"line {line}") for line in (5, 2)]
        return made

    assert [note.place.line for note in load(None, {}, foreign=foreign).notes] == [2, 5]


def test_a_file_of_ours_is_not_read_beside_it(tmp_path: Path) -> None:
    ours = tmp_path / "longshore.yaml"
    ours.write_text("nonsense: true\n")
    environ = {"LONGSHORE_CONFIG": str(ours)}
    assert load(None, environ, foreign=lambda: document({"services": {}})).config.services == {}


def test_the_environment_counts_as_ever() -> None:
    environ = {"LONGSHORE_HAPROXY_BINARY": "/opt/haproxy"}
    assert load(None, environ, foreign=lambda: document({})).config.haproxy.binary == "/opt/haproxy"
