"""One endpoint in two sources: it counts once, and HAProxy sees no difference when one of them lets it go."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from longshore.core.merge import Merged, Merger, merge
from longshore.core.model import Endpoint, Route, Service, Snapshot
from longshore.core.twins import Twins

ROUTES = (Route(host="web.test"),)


def endpoint(identity: str, address: str = "10.0.0.5", port: int = 80, **more: object) -> Endpoint:
    return replace(Endpoint(identity, identity, address, port), **more)  # type: ignore[arg-type]


def snapshot(source: str, *endpoints: Endpoint) -> Snapshot:
    return Snapshot(source, (Service("web", routes=ROUTES, endpoints=endpoints, sources=(source,)),))


def ids(merged: Merged) -> list[str]:
    return [each.id for each in merged.by_name["web"].endpoints]


def test_one_address_in_two_sources_is_one_endpoint_and_the_first_source_names_it() -> None:
    old, new = endpoint("4f3c2a1b0c9d", weight=50), endpoint("4f3c2a1b0c9d:8000")
    assert merge([snapshot("etcd", old), snapshot("zookeeper", new)]).by_name["web"].endpoints == (old,)


def test_different_addresses_in_two_sources_are_different_endpoints() -> None:
    merged = merge([snapshot("etcd", endpoint("a")), snapshot("zookeeper", endpoint("b", port=81))])
    assert ids(merged) == ["a", "b"]


def test_one_address_twice_in_one_source_is_that_source_s_affair() -> None:
    merged = merge([snapshot("etcd", endpoint("a"), endpoint("b")), snapshot("zookeeper")])
    assert ids(merged) == ["a", "b"]


def test_the_twin_goes_by_the_same_name_when_the_first_source_lets_it_go() -> None:
    """The name of a server is made of the endpoint's id and name: so no server changes in HAProxy."""
    merger = Merger()
    old, new = endpoint("old"), endpoint("new")
    before = merger.merge([snapshot("etcd", old), snapshot("zookeeper", new)])
    after = merger.merge([snapshot("etcd"), snapshot("zookeeper", new)])
    assert after.by_name["web"].endpoints == before.by_name["web"].endpoints == (old,)
    alone = merger.merge([snapshot("zookeeper", new)])
    assert alone.by_name["web"].endpoints == (old,), "the source is no more in the configuration"
    again = merger.merge([snapshot("zookeeper", new, endpoint("more", "10.0.0.6"))])
    assert ids(again) == ["old", "more"]


def test_names_outlive_a_restart() -> None:
    merger = Merger()
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper", endpoint("new"))])
    merger.merge([snapshot("zookeeper", endpoint("new"))])
    told = json.loads(json.dumps(merger.twins.told()))
    assert ids(Merger(twins=Twins(told)).merge([snapshot("zookeeper", endpoint("new"))])) == ["old"]


@pytest.mark.parametrize("told", [None, [], {"web": []}, {"web": {"new": "old"}}, {"web": {"new": [1, 2]}}])
def test_what_a_broken_file_says_of_names_counts_for_nothing(told: object) -> None:
    assert ids(Merger(twins=Twins(told)).merge([snapshot("zookeeper", endpoint("new"))])) == ["new"]


def test_what_stays_of_the_twin_is_its_own_word() -> None:
    merger = Merger()
    new = endpoint("new", weight=7, zone="b")
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper", new)])
    (left,) = merger.merge([snapshot("zookeeper", new)]).by_name["web"].endpoints
    assert left == replace(new, id="old", name="old")


def test_a_twin_that_was_away_is_itself_again() -> None:
    """Only what is said at the same time is the same: a re-used address is another endpoint."""
    merger = Merger()
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper", endpoint("new"))])
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper")])
    assert ids(merger.merge([snapshot("etcd"), snapshot("zookeeper", endpoint("new"))])) == ["new"]
    assert ids(merger.merge([snapshot("etcd"), snapshot("zookeeper", endpoint("newer"))])) == ["newer"]


def test_a_name_that_was_taken_over_is_given_back_to_its_owner_elsewhere() -> None:
    merger = Merger()
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper", endpoint("new"))])
    merger.merge([snapshot("etcd"), snapshot("zookeeper", endpoint("new"))])
    moved = endpoint("old", "10.0.0.9")
    merged = merger.merge([snapshot("etcd", moved), snapshot("zookeeper", endpoint("new"))])
    assert merged.by_name["web"].endpoints == (moved, endpoint("new"))


def test_names_are_taken_over_further_and_further() -> None:
    merger = Merger()
    merger.merge([snapshot("a", endpoint("one")), snapshot("b", endpoint("two"))])
    merger.merge([snapshot("b", endpoint("two")), snapshot("c", endpoint("three"))])
    assert ids(merger.merge([snapshot("c", endpoint("three"))])) == ["one"]


def test_nothing_is_remembered_of_a_service_that_is_gone() -> None:
    merger = Merger()
    merger.merge([snapshot("etcd", endpoint("old")), snapshot("zookeeper", endpoint("new"))])
    merger.merge([snapshot("etcd"), Snapshot("zookeeper")])
    merger.merge([Snapshot("etcd"), Snapshot("zookeeper")])
    assert ids(merger.merge([snapshot("zookeeper", endpoint("new"))])) == ["new"]
