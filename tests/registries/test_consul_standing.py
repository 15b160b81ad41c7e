"""How each entry stands in Consul: at the agent, and in the catalog where everybody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from longshore.core.entries import COPY, Entry
from longshore.core.layouts import consul
from longshore.registries.consul_standing import Standings, written

TTL = 30.0


def entry(identity: str, port: int = 80, owner: str = "h1") -> Entry:
    return Entry("web", identity, "10.0.0.5", port, owner=owner)


def at_the_agent(*entries: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the agent tells of these: services and checks."""
    services, checks = dict[str, Any](), dict[str, Any]()
    for each in entries:
        body = consul.registration(each, TTL)
        services[body["ID"]] = {**body, "Service": body["Name"]}
        checks[body["Check"]["CheckID"]] = {**body["Check"], "Node": "n1", "ServiceID": body["ID"]}
    return services, checks


def in_the_catalog(*entries: Entry) -> list[Mapping[str, Any]]:
    """The checks that the catalog shows for these."""
    return [check | {"ServiceName": "web"} for check in at_the_agent(*entries)[1].values()]


@pytest.fixture
def standings() -> Standings:
    return Standings("consul", "h1", TTL)


def want(standings: Standings, *entries: Entry) -> None:
    standings.want(*written({f"{each.service}/{each.id}": each for each in entries}, TTL))


def states(standings: Standings) -> dict[str, str]:
    return {lease.id: lease.state for lease in standings.all()}


def missing(standings: Standings) -> list[str]:
    return [each.key for each in standings.missing()]


def test_an_entry_from_the_wish_to_the_end(standings: Standings) -> None:
    one = entry("one")
    want(standings, one)
    assert states(standings) == {"one": "registering"}
    standings.found({}, {})
    assert missing(standings) == ["web/one"]
    standings.found(*at_the_agent(one))
    assert states(standings) == {"one": "registering"}, "nobody sees it yet"
    assert not missing(standings)
    assert not standings.shown(in_the_catalog(one))
    assert states(standings) == {"one": "held"}
    want(standings)
    assert states(standings) == {"one": "withdrawing"}
    assert standings.unwanted() == {"web/one"}
    standings.withdrawn("web/one")
    assert not standings.found({}, {}), "it went by our doing"
    assert states(standings) == {}


def test_what_is_other_than_wanted_is_written_again(standings: Standings) -> None:
    want(standings, entry("one", 81))
    standings.found(*at_the_agent(entry("one", 80)))
    assert missing(standings) == ["web/one"]
    services, _ = at_the_agent(entry("one", 81))
    standings.found(services, {})
    assert missing(standings) == ["web/one"], "its check is gone"
    standings.found(*at_the_agent(entry("one", 81)))
    assert standings.shown(in_the_catalog(entry("one", 80))) == ["web/one"], "the catalog has not heard of it"


def test_what_the_agent_has_no_more_but_the_catalog_shows_is_told(standings: Standings) -> None:
    want(standings)
    standings.found({}, {})
    others = in_the_catalog(entry("theirs", owner="h2"))
    assert standings.shown([*in_the_catalog(entry("one")), *others]) == ["web/one"]


def test_what_went_without_our_doing_is_lost(standings: Standings) -> None:
    one, two = entry("one"), entry("two")
    want(standings, one, two)
    standings.found(*at_the_agent(one, two))
    standings.shown(in_the_catalog(one, two))
    assert standings.found(*at_the_agent(two)) == {"web/one"}
    assert states(standings) == {"one": "registering", "two": "held"}


def test_services_of_others_are_in_the_way_and_copies_are_not(standings: Standings) -> None:
    want(standings, entry("one"), entry("two"), entry("three"))
    services, checks = at_the_agent(entry("one", owner="h2"), entry("two", owner=f"{COPY}etcd"))
    services["web/three"] = {"ID": "web/three", "Service": "web", "Tags": None, "Meta": None}
    standings.found(services, checks)
    assert {key: found.owner for key, found in standings.blocked().items()} == {"web/one": "h2", "web/three": ""}
    assert missing(standings) == ["web/two"]


def test_without_a_wish_everything_of_ours_is_kept(standings: Standings) -> None:
    standings.found(*at_the_agent(entry("one"), entry("theirs", owner="h2")))
    assert standings.kept() == ["web/one"]
    assert not standings.unwanted()
    want(standings, entry("other"))
    assert standings.kept() == []
    assert standings.unwanted() == {"web/one"}


def test_an_entry_that_nobody_renewed_for_a_ttl_is_lost(standings: Standings) -> None:
    want(standings, entry("one"))
    standings.found(*at_the_agent(entry("one")))
    standings.shown(in_the_catalog(entry("one")))
    standings.renewed("web/one", 1e-9)
    standings.trouble = "Consul does not answer"
    (lease,) = standings.all()
    assert (lease.state, lease.error) == ("lost", "Consul does not answer")


def test_what_cannot_be_written_is_refused(standings: Standings) -> None:
    large = Entry("web", "large", "10.0.0.5", 80, labels=(("x", "y" * 300_000),))
    want(standings, entry("a/b"), large, entry("one"))
    assert states(standings) == {"a/b": "refused", "large": "refused", "one": "registering"}
    want(standings, entry("one"))
    assert states(standings) == {"one": "registering"}
