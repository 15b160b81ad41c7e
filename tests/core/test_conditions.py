"""Conditions on labels, as filters say them."""

from __future__ import annotations

import pytest

from longshore.core.conditions import Condition, read
from longshore.core.values import RefusedError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tier", Condition("tier")),
        ("tier=web", Condition("tier", "web")),
        (" tier = web ", Condition("tier", "web")),
        ("tier!=web", Condition("tier", "web", unlike=True)),
        ("tier=", Condition("tier", "")),
        ("v=a=b", Condition("v", "a=b")),
    ],
)
def test_a_condition_is_read(word: str, expected: Condition) -> None:
    assert read(word) == expected


@pytest.mark.parametrize("word", ["", "=web", "!=web", "a\nb"])
def test_a_condition_without_a_label_is_refused(word: str) -> None:
    with pytest.raises(RefusedError):
        read(word)


@pytest.mark.parametrize(
    ("word", "labels", "holds"),
    [
        ("tier", {"tier": ""}, True),
        ("tier", {}, False),
        ("tier=web", {"tier": "web"}, True),
        ("tier=web", {"tier": "db"}, False),
        ("tier=web", {}, False),
        ("tier!=web", {"tier": "db"}, True),
        ("tier!=web", {}, True),
        ("tier!=web", {"tier": "web"}, False),
    ],
)
def test_a_condition_holds_as_synapse_s_filters_do(word: str, labels: dict[str, str], holds: bool) -> None:
    assert read(word).holds(labels) is holds
