"""Weights of a document, and the draw among its names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.toggle import draw, usual, weights
from longshore.core.values import RefusedError


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=6).filter(lambda found: any(found.values())))
def test_each_name_is_drawn_as_often_as_its_weight(found: dict[str, int]) -> None:
    drawn = Counter(draw(weights(found), lambda below, n=number: n) for number in range(sum(found.values())))  # type: ignore[misc]
    assert drawn == {name: weight for name, weight in found.items() if weight}


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (None, "is not a mapping of names"),
        ([], "is not a mapping of names"),
        ("primary", "is not a mapping of names"),
        ({}, "names nobody"),
        ({"a": 0, "b": 0}, "gives nobody a weight"),
        ({"a": -1, "b": 2}, 'gives "a" the weight "-1"'),
        ({"a": 0.5}, 'gives "a" the weight "0.5"'),
        ({"a": True}, 'gives "a" the weight "True"'),
        ({"a": "90"}, 'gives "a" the weight "90"'),
        ({"a": None}, 'gives "a" the weight "None"'),
        ({7: 1}, 'has the name "7", which is no text'),
    ],
)
def test_absurd_documents(found: Any, what: str) -> None:
    with pytest.raises(RefusedError) as refused:
        weights(found)
    assert str(refused.value) == what
    assert refused.value.hint == "expected names with whole numbers: {primary: 90, next: 10}"


def test_who_serves_before_anything_was_read() -> None:
    assert usual(("next", "primary")) == "primary"
    assert usual(("old", "new")) == "old"
    assert usual(()) == ""
