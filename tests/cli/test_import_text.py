"""Whatever a configuration holds, its text reads back as the same, and comments stand above what they are about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.cli.import_text import MADE, as_yaml
from longshore.config.document import parse
from longshore.config.problems import ConfigProblem, Place

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
ODD = st.sampled_from(
    ["on", "no", "12:30", "0x1f", "1e3", "~", "", "null", "<<", "=", "- a", "a: b", "# a", "*a", "2020-01-01"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | WORDS | ODD
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries((WORDS | ODD).filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)
KEYS = st.sampled_from(["haproxy", "services", "register", "admin", "forget-after"])
PLACE = Place("old.json", 3, 4)


def note(*steps: str | int) -> ConfigProblem:
    return ConfigProblem(PLACE, "means something else", steps, "look")


@given(st.dictionaries(KEYS, DATA.filter(lambda value: value is not None)), st.lists(st.lists(WORDS, max_size=3)))
def test_any_configuration_reads_back_as_it_is(data: dict[str, Any], paths: list[list[str]]) -> None:
    text = as_yaml(data, "x", [note(*path) for path in paths], [note("services", "a\n b: c")])
    read = parse(text.encode(), "longshore.yaml")
    assert read.problems == []
    assert read.data == {"frontends": {}, "sources": {}} | data


def test_comments_stand_above_what_they_are_about() -> None:
    data = {"services": {"web": {"raw": {"backend": ["one", "two"]}}}}
    notes = [note("services", "web", "raw", "backend", 1), note("services", "web", "gone"), note()]
    lines = as_yaml(data, "synapse x", notes, []).splitlines()
    comment = "# old.json:3:4: means something else; look"
    assert lines[:3] == [f"{MADE} from synapse x", comment, ""]
    assert lines[lines.index("  web:") - 1] == f"  {comment}"
    assert lines[lines.index("        - two") - 1] == f"        {comment}"


def test_sections_come_in_the_order_of_the_reference() -> None:
    text = as_yaml({"register": {"registry": "a"}, "services": {}, "haproxy": {}, "sources": {"a": {}}}, "x", [], [])
    sections = [line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()]
    assert sections == ["frontends", "haproxy", "sources", "services", "register"]


@pytest.mark.parametrize("source", ["registrator a\nb: c", "x\x1b[2J"])
def test_nothing_gets_out_of_a_comment(source: str) -> None:
    assert parse(as_yaml({}, source, [], []).encode(), "x").data == {"frontends": {}, "sources": {}}
