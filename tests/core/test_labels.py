"""Labels: which of a container's services each label is about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.keys import KEYS
from longshore.core.labels import MOST_SERVICES, split


def services(**labels: str) -> Any:
    return split(
        {f"longshore.{key.replace('__', '.')}": value for key, value in labels.items()}, "container c"
    ).services


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"host": "a"}, {"": {"host": "a"}}),
        ({"enable": "true"}, {"": {"enable": "true"}}),
        ({"api__host": "a", "web__port": "80"}, {"api": {"host": "a"}, "web": {"port": "80"}}),
        ({"api__host": "a", "host": "b"}, {"api": {"host": "a"}, "": {"host": "b"}}),
        ({"a__b__host": "x"}, {"a.b": {"host": "x"}}),
    ],
)
def test_services(labels: dict[str, str], expected: dict[str, dict[str, str]]) -> None:
    assert services(**labels) == expected


def test_what_is_about_the_container_holds_for_all_its_services_and_makes_none() -> None:
    """`network` beside named services is no service of its own; a service may still say otherwise."""
    assert services(network="front", enable="true", api__host="a", web__network="back") == {
        "api": {"network": "front", "enable": "true", "host": "a"},
        "web": {"network": "back", "enable": "true"},
    }


def test_labels_of_others_are_nothing_to_us() -> None:
    found = split({"longshore": "x", "longshore-x.host": "a", "traefik.enable": "true"}, "container c")
    assert (dict(found.services), found.off, found.problems) == ({}, False, ())


@pytest.mark.parametrize("word", ["false", "No", "0"])
def test_enable_false_switches_the_container_off_whatever_else_it_says(word: str) -> None:
    found = split({"longshore.enable": word, "longshore.api.host": "a", "longshore.check.path": "/"}, "container c")
    assert found.off
    assert not found.services
    assert not found.problems


@pytest.mark.parametrize(
    ("label", "what", "hint"),
    [
        ("check.interval", "label longshore.check.interval: check is a key, not a service", "longshore.check-interval"),
        ("host.port", "label longshore.host.port: host is a key, not a service", "another name"),
        ("my api.host", 'label longshore.my api.host: "my api" is not a name', "use letters"),
        ("api.service", "label longshore.api.service: the service is already named api", "remove"),
        (".host", "label longshore..host: the service has no name", "longshore.host?"),
    ],
)
def test_what_cannot_be_a_service_is_said(label: str, what: str, hint: str) -> None:
    (problem,) = split({f"longshore.{label}": "x"}, "container c").problems
    assert (problem.where, problem.what) == ("container c", what)
    assert hint in problem.hint


def test_a_misspelled_label_takes_only_its_own_service_with_it() -> None:
    """What was meant as a key of the own service makes that one unfit, not those that are named."""
    labels = {"longshore.host": "a", "longshore.check.interval": "5s", "longshore.api.host": "b"}
    found = split(labels, "container c")
    assert found.services == {"api": {"host": "b"}}
    assert len(found.problems) == 1


def test_a_flood_of_services_is_refused() -> None:
    labels = {f"longshore.s{number}.host": "a" for number in range(MOST_SERVICES + 1)}
    found = split(labels, "container c")
    assert not found.services
    assert found.problems


@given(st.dictionaries(st.text() | st.sampled_from([f"a.{key}" for key in KEYS]), st.text(), max_size=5))
def test_any_labels_are_split_or_said_in_one_line(labels: dict[str, str]) -> None:
    found = split({f"longshore.{key}": value for key, value in labels.items()}, "container c")
    for problem in found.problems:
        assert (problem.what + problem.hint).isprintable()
