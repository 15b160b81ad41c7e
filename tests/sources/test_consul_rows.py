"""Lists that come whole are read row by row, and a row that stays the same only once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.sources.consul_rows import Rows

TEXT = st.text(max_size=20) | st.sampled_from(['},{"Node":', '"},{"Node":"x', "}]", "\\", '"'])
JSON = TEXT | st.integers() | st.none() | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2)
ROWS = st.lists(st.dictionaries(TEXT, JSON, max_size=3).map(lambda more: {"Node": "n1"} | more), max_size=4)


def compact(rows: object) -> bytes:
    """Write JSON as Go does."""
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()


def distinct(rows: list[Any]) -> list[Any]:
    return [row for number, row in enumerate(rows) if row not in rows[:number]]


@given(st.lists(ROWS, max_size=2))
def test_every_list_is_read_as_json_reads_it(answers: list[list[dict[str, Any]]]) -> None:
    """Whatever stands in the rows; a row that is there twice counts once."""
    rows = Rows[dict[str, Any]](lambda row: row)
    for answer in answers:
        assert distinct(rows.take(compact(answer))) == distinct(answer)
        spaced = json.dumps(answer, indent=1).encode()
        assert distinct(Rows[dict[str, Any]](lambda row: row).take(spaced)) == distinct(answer)


def test_a_row_that_stays_the_same_is_the_same_object() -> None:
    rows = Rows[dict[str, Any]](lambda row: row)
    one, two = {"Node": "n1", "Value": "a"}, {"Node": "n2", "Value": "b"}
    first = rows.take(compact([one, two]))
    second = rows.take(compact([one, {"Node": "n2", "Value": "c"}]))
    assert second[0] is first[0]
    assert second[1] == {"Node": "n2", "Value": "c"}


def test_rows_of_no_use_are_left_out() -> None:
    assert Rows(lambda row: row["Node"] or None).take(compact([{"Node": ""}, {"Node": "n1"}])) == ["n1"]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[1]", b'[{"Node":', b'[{"Node":1},{"Node":}]', b"[{}]x", b"\xff"]
)
def test_what_is_no_list_of_objects_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Rows(lambda row: row).take(body)
