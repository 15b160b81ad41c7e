"""Who of a service comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core import spec
from longshore.core.model import Endpoint, EndpointState, Policy, Service, ZoneWeight
from longshore.core.prefer import Chooser, Health, Here, turns_of

HERE = Here("h1", "eu-1a", lambda address: address == "10.0.0.1")


def endpoint(name: str, address: str = "10.0.0.9", **fields: object) -> Endpoint:
    return Endpoint(name, name, address, 80, **fields)  # type: ignore[arg-type]


def service(*endpoints: Endpoint, **policy: object) -> Service:
    return Service("web", endpoints=endpoints, policy=Policy(**policy))  # type: ignore[arg-type]


def up(_: Endpoint) -> Health:
    return "up"


def shown(chosen: Service) -> dict[str, tuple[str, bool, int]]:
    return {e.id: (e.role, e.backup, e.weight) for e in chosen.endpoints}


def choose(given: Service, states: dict[str, Health] | None = None, here: Here = HERE) -> dict[str, tuple[object, ...]]:
    chosen = Chooser(here).choose(given, lambda e: (states or {}).get(e.id, "up"))
    return {e.id: (e.role, e.backup, e.weight) for e in chosen.endpoints}


def test_what_asks_for_nothing_passes_as_it_is() -> None:
    plain = service(endpoint("a", backup=True))
    assert Chooser(HERE).choose(plain, up) is plain


def test_the_own_zone_is_preferred_and_the_others_are_backups() -> None:
    given = service(endpoint("a", zone="eu-1a"), endpoint("b", zone="eu-1b", weight=7), endpoint("c"), prefer="zone")
    assert choose(given) == {
        "a": ("preferred", False, 100),
        "b": ("backup", True, 7),
        "c": ("backup", True, 100),
    }


def test_the_own_host_is_known_by_name_or_by_address() -> None:
    """An entry that says its host is believed; one that does not is near if its address is this machine's."""
    given = service(
        endpoint("named", host="h1"),
        endpoint("other", "10.0.0.1", host="h2"),
        endpoint("silent", "10.0.0.1"),
        endpoint("far", "10.0.0.2"),
        prefer="host",
    )
    assert {name for name, (role, *_) in choose(given).items() if role == "preferred"} == {"named", "silent"}


def test_without_a_zone_of_its_own_a_balancer_prefers_none() -> None:
    given = service(endpoint("a", zone="eu-1a"), endpoint("b"), prefer="zone")
    assert choose(given, here=Here("h1")) == {"a": ("", False, 100), "b": ("", False, 100)}


@pytest.mark.parametrize(
    ("states", "last"),
    [
        ({}, "standby"),
        ({"far": "down"}, "backup"),
        ({"far": "unknown"}, "backup"),
        ({"near": "down"}, "standby"),
        ({"near": "down", "far": "down"}, "backup"),
    ],
)
def test_an_endpoint_that_calls_itself_a_backup_comes_behind_other_zones(states: dict[str, Health], last: str) -> None:
    """HAProxy knows two levels: the third stays out while anybody on the second is up."""
    given = service(
        endpoint("near", zone="eu-1a"), endpoint("far", zone="eu-1b"), endpoint("last", backup=True), prefer="zone"
    )
    assert choose(given, states)["last"] == (last, True, 100)


def test_a_backup_is_in_while_nobody_is_on_the_second_level() -> None:
    given = service(endpoint("near", zone="eu-1a"), endpoint("last", zone="eu-1a", backup=True), prefer="zone")
    assert choose(given)["last"] == ("backup", True, 100)


@pytest.mark.parametrize(
    ("weight", "percent", "result"),
    [(100, 20, 20), (50, 20, 10), (1, 20, 1), (256, 50, 128), (0, 20, 0), (100, 100, 100)],
)
def test_a_zone_weighs_its_share_of_each_endpoints_own_weight(weight: int, percent: int, result: int) -> None:
    """Whoever has any weight keeps some."""
    given = service(endpoint("a", zone="b", weight=weight), endpoint("c"), zone_weights=(ZoneWeight("b", percent),))
    assert choose(given) == {"a": ("", False, result), "c": ("", False, 100)}


def test_a_zone_of_weight_0_serves_while_no_other_is_up() -> None:
    given = service(endpoint("a", zone="a"), endpoint("b", zone="b"), zone_weights=(ZoneWeight("b", 0),))
    assert choose(given) == {"a": ("", False, 100), "b": ("backup", True, 100)}


def test_zones_weigh_within_each_level() -> None:
    weights = (ZoneWeight("b", 50), ZoneWeight("eu-1a", 10))
    given = service(endpoint("a", zone="eu-1a"), endpoint("b", zone="b"), prefer="zone", zone_weights=weights)
    assert choose(given) == {"a": ("preferred", False, 10), "b": ("backup", True, 50)}


LED = service(endpoint("c"), endpoint("a"), endpoint("d"), endpoint("b"), only="leader")


@pytest.mark.parametrize(
    ("states", "roles"),
    [
        ({}, {"a": "leader", "b": "backup", "c": "standby", "d": "standby"}),
        ({"a": "unknown"}, {"a": "standby", "b": "leader", "c": "backup", "d": "standby"}),
        ({"a": "down"}, {"a": "leader", "b": "backup", "c": "backup", "d": "standby"}),
        ({"b": "down"}, {"a": "leader", "b": "backup", "c": "backup", "d": "standby"}),
        ({"a": "down", "b": "down"}, {"a": "leader", "b": "backup", "c": "backup", "d": "backup"}),
        (dict.fromkeys("abcd", "unknown"), dict.fromkeys("abcd", "standby")),
    ],
)
def test_the_smallest_id_leads_and_the_next_one_is_ready(states: dict[str, Health], roles: dict[str, str]) -> None:
    """Who is down keeps its place, so that HAProxy goes on checking it; one more stands behind it then."""
    chosen = choose(LED, states)
    assert {name: role for name, (role, *_) in sorted(chosen.items())} == roles
    assert [name for name, (_, backup, _) in chosen.items() if not backup] == [
        name for name, role in roles.items() if role == "leader"
    ]


@pytest.mark.parametrize("state", [EndpointState.WAITING, EndpointState.STOPPING])
def test_who_is_about_to_stop_leads_no_longer(state: EndpointState) -> None:
    given = replace(LED, endpoints=tuple(replace(e, state=state) if e.id == "a" else e for e in LED.endpoints))
    assert choose(given)["a"][0] == "standby"
    assert choose(given)["b"][0] == "leader"


def test_a_backup_leads_only_when_there_is_nobody_else() -> None:
    assert choose(service(endpoint("a", backup=True), endpoint("b"), only="leader")) == {
        "a": ("backup", True, 100),
        "b": ("leader", False, 100),
    }


def test_the_reason_is_told() -> None:
    chosen = Chooser(HERE).choose(service(endpoint("a", zone="x", reason="registered in etcd"), prefer="zone"), up)
    assert chosen.endpoints[0].reason == "backup: not of zone eu-1a; registered in etcd"


def test_unchanged_means_the_same_object() -> None:
    chooser = Chooser(HERE)
    first = chooser.choose(LED, up)
    assert chooser.choose(LED, up) is first
    other = replace(LED, endpoints=(*LED.endpoints, endpoint("e")))
    second = chooser.choose(other, up)
    assert second is not first
    assert {e.id for e in second.endpoints if any(e is old for old in first.endpoints)} == set("abcd")


ENDPOINTS = st.lists(
    st.builds(
        endpoint,
        st.sampled_from("abcdef"),
        zone=st.sampled_from(["", "eu-1a", "b"]),
        weight=st.integers(0, 256),
        backup=st.booleans(),
        state=st.sampled_from(EndpointState),
    ),
    unique_by=lambda e: e.id,
)
POLICIES = st.sampled_from(
    [
        Policy(prefer="zone"),
        Policy(prefer="host"),
        Policy(only="leader"),
        Policy(zone_weights=(ZoneWeight("b", 0), ZoneWeight("eu-1a", 30))),
        Policy(prefer="zone", zone_weights=(ZoneWeight("eu-1a", 0),)),
    ]
)


@given(ENDPOINTS, POLICIES, st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["up", "down", "unknown"])))
def test_no_choice_ever_leaves_a_service_without_an_endpoint_that_is_up(
    endpoints: list[Endpoint], policy: Policy, states: dict[str, Health]
) -> None:
    given = Service("web", endpoints=tuple(endpoints), policy=policy)

    def health(e: Endpoint) -> Health:
        return states.get(e.id, "up")

    turns = turns_of(given, HERE, health)
    assert turns.keys() == {e.id for e in endpoints}
    usable = {e.id for e in endpoints if e.state is EndpointState.READY and health(e) == "up"}
    assert not usable or any(turns[each].role != "standby" for each in usable)
    if policy.only:
        assert sum(not turn.backup for turn in turns.values()) <= 1


def test_a_leader_shares_with_nobody() -> None:
    """Neither zones nor a cookie may lead past it."""
    for key, value in (("prefer", "zone"), ("zone-weights", "a=1")):
        found, faults = spec.check({"only": "leader", key: value})
        assert found is None
        assert [fault.key for fault in faults] == [key]
    found, _ = spec.check({"only": "leader", "sticky": "SRV"})
    assert found is not None
    assert spec.service_parts(found)[2].sticky == ""


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("eu-1a=100, eu-1b=20", (ZoneWeight("eu-1a", 100), ZoneWeight("eu-1b", 20))),
        ("b = 20%", (ZoneWeight("b", 20),)),
        (["a=0"], (ZoneWeight("a", 0),)),
    ],
)
def test_zone_weights_are_read(written: object, read: tuple[ZoneWeight, ...]) -> None:
    found, _ = spec.check({"zone-weights": written})
    assert found is not None
    assert found.zone_weights == read


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("eu-1a", "says no weight"),
        ("a=101", "not a whole number from 0 to 100"),
        ("a=1,a=2", "has two weights"),
        ("a b=1", "is not a name"),
        ("", "is empty"),
    ],
)
def test_zone_weights_that_cannot_be_are_refused(written: str, what: str) -> None:
    _, faults = spec.check({"zone-weights": written})
    assert what in faults[0].what
