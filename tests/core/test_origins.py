"""Services made of several origins: which endpoints they have, and in which turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.composer import SOURCE, Composer
from longshore.core.merge import Merger
from longshore.core.model import NEVER, Endpoint, EndpointState, Policy, Problem, Route, Service, Snapshot
from longshore.core.origins import Composition, Item, fallback_of, part_of
from longshore.core.prefer import Chooser, Health, Here

ROUTES = (Route("web.test"),)


def how(*sources: str, recycles: bool = False, **more: Any) -> Composition:
    """A service `web` of one item for each source."""
    items = tuple(Item(part_of("web", index), source, recycles=recycles) for index, source in enumerate(sources))
    if more.pop("fallback", False):
        more |= {"fallback": fallback_of("web"), "fallback_source": SOURCE}
    return Composition("web", "http", ROUTES, Policy(retries=3), items, **more)


def endpoint(name: str, **more: Any) -> Endpoint:
    number = sum(map(ord, name))
    return Endpoint(f"{name}:80", name, more.pop("address", f"10.0.0.{number % 250}"), 80, **more)


def found(source: str, index: int, *endpoints: Endpoint, others: tuple[Service, ...] = ()) -> Snapshot:
    """What a source knows: the part of an item, among other services."""
    part = Service(part_of("web", index), "http", (Route("web.from[0].localhost"),), Policy(), endpoints, (source,))
    return Snapshot(source, (*others, part))


def fixed(*endpoints: Endpoint) -> Snapshot:
    return Snapshot(SOURCE, (Service(fallback_of("web"), endpoints=endpoints, sources=(SOURCE,)),))


def web(composer: Composer, *snapshots: Snapshot) -> Service:
    """The service as the merge gives it."""
    merged = Merger().merge(composer.compose(snapshots))
    assert not merged.problems
    (service,) = merged.services
    return service


def names(service: Service) -> list[str]:
    return [endpoint.name for endpoint in service.endpoints]


def serving(service: Service, unknown: str = "", chooser: Chooser | None = None) -> dict[str, str]:
    """Who gets traffic, with the reason; `unknown` are those that have not answered a first check."""

    def health(each: Endpoint) -> Health:
        return "unknown" if each.name in unknown.split() else "up"

    chosen = (chooser or Chooser(Here())).choose(service, health)
    return {
        e.name: e.reason
        for e in chosen.endpoints
        if e.role != "standby" and e.state is EndpointState.READY and health(e) == "up"
    }


A, B, C, D = (endpoint(name, reason=f"registered {name}") for name in "abcd")
GONE = Snapshot("etcd", (), stale="away")


def test_a_list_is_the_union_and_who_stands_twice_counts_once() -> None:
    twin = replace(A, id="other", name="other")
    service = web(Composer([how("etcd", "consul")]), found("etcd", 0, A, B), found("consul", 1, twin, C))
    assert (service.name, service.mode, service.routes, service.policy) == ("web", "http", ROUTES, Policy(retries=3))
    assert service.endpoints == (A, B, C), "as the sources know them: nobody needs turns"
    assert service.sources == ("etcd", "consul")
    assert not service.ordered


def test_two_items_of_one_source_are_two_parts() -> None:
    both = Snapshot("etcd", (*found("etcd", 0, A).services, *found("etcd", 1, B).services))
    assert names(web(Composer([how("etcd", "etcd")]), both)) == ["a", "b"]
    first = Composer([how("etcd", "etcd", first=True)])
    assert serving(web(first, both)) == {"a": "registered a"}


def test_the_service_is_there_before_its_sources_have_spoken() -> None:
    """So its visitors get 503, not 404, and its address is listened on."""
    service = web(Composer([how("etcd")]))
    assert (service.routes, service.endpoints) == (ROUTES, ())


def test_the_first_item_that_has_endpoints_serves_alone() -> None:
    composer = Composer([how("one", "two", "three", first=True)])
    snapshots = [found("one", 0), found("two", 1, B), found("three", 2, C)]
    assert serving(web(composer, *snapshots)) == {"b": "from[1] serves: nothing is found before it; registered b"}
    snapshots[0] = found("one", 0, A)
    service = web(composer, *snapshots)
    assert serving(service) == {"a": "registered a"}
    chosen = Chooser(Here()).choose(service, lambda _: "up")
    assert [(e.name, e.role, e.reason.partition(";")[0]) for e in chosen.endpoints[1:]] == [
        ("b", "standby", "from[1] waits: from[0] has endpoints"),
        ("c", "standby", "from[2] waits: from[0] has endpoints"),
    ]


def test_items_of_one_name_have_one_turn() -> None:
    items = [
        Item(part_of("web", index), source, name=name)
        for index, (source, name) in enumerate((("one", "near"), ("two", ""), ("three", "near"), ("four", "far")))
    ]
    composer = Composer([Composition("web", "http", ROUTES, Policy(), tuple(items), first=True)])
    snapshots = [found("one", 0, A), found("two", 1, B), found("three", 2, C), found("four", 3, D)]
    assert set(serving(web(composer, *snapshots))) == {"a", "c"}
    snapshots[0] = found("one", 0)
    assert set(serving(web(composer, *snapshots))) == {"c"}
    snapshots[2] = found("three", 2)
    assert set(serving(web(composer, *snapshots))) == {"b"}


def test_who_has_not_answered_takes_over_nothing() -> None:
    service = web(Composer([how("one", "two", first=True)]), found("one", 0, A), found("two", 1, B))
    assert serving(service, unknown="a") == {
        "b": "from[1] serves: who comes before it has not answered yet; registered b"
    }
    assert serving(service, unknown="a b") == {}


@pytest.mark.parametrize("state", [EndpointState.STOPPING, EndpointState.WAITING])
def test_who_cannot_serve_is_not_there(state: EndpointState) -> None:
    """The fallback takes over when the last one is told to stop, not when it is gone."""
    composer = Composer([how("etcd", fallback=True)])
    service = web(composer, fixed(D), found("etcd", 0, replace(A, state=state)))
    assert list(serving(service)) == ["d"]
    assert names(service) == ["a", "d"], "it is shown, and finishes"


def test_fallback_endpoints_serve_while_none_is_found() -> None:
    composer = Composer([how("etcd", "consul", fallback=True)])
    assert serving(web(composer, fixed(D), found("etcd", 0, A), found("consul", 1, B))).keys() == {"a", "b"}
    assert serving(web(composer, fixed(D), found("etcd", 0), found("consul", 1, B))).keys() == {"b"}
    service = web(composer, fixed(D), found("etcd", 0), found("consul", 1))
    assert serving(service) == {"d": "fallback serves: nothing is found before it; registered d"}
    assert serving(web(composer, fixed(D), found("etcd", 0, A), found("consul", 1))).keys() == {"a"}


def test_fallback_endpoints_may_always_serve() -> None:
    service = web(Composer([how("etcd", fallback=True, always=True)]), fixed(D), found("etcd", 0, A))
    assert serving(service) == {"a": "registered a", "d": "fallback; registered d"}
    assert not service.ordered
    first = Composer([how("one", "two", first=True, fallback=True, always=True)])
    assert serving(web(first, fixed(D), found("one", 0, A), found("two", 1, B))).keys() == {"a", "d"}


def test_those_found_last_go_on_and_say_so() -> None:
    composer = Composer([how("etcd", keep_last=True)])
    assert web(composer, found("etcd", 0, A, B)).endpoints == (A, B)
    assert web(composer, found("etcd", 0, B)).endpoints == (B,)
    service = web(composer, found("etcd", 0))
    assert serving(service) == {"b": "kept: none is found any more; registered b"}
    assert web(composer, found("etcd", 0, C)).endpoints == (C,), "and give way"
    assert composer.last == {"web": (C,)}


def test_without_keep_last_none_is_none() -> None:
    composer = Composer([how("etcd", "consul")])
    assert names(web(composer, found("etcd", 0, A), found("consul", 1))) == ["a"]
    assert names(web(composer, found("etcd", 0), found("consul", 1))) == []
    assert composer.last == {}


def test_fallback_endpoints_come_before_those_found_last() -> None:
    """But a fallback of names that do not resolve is none."""
    composer = Composer([how("etcd", fallback=True, keep_last=True)])
    web(composer, fixed(D), found("etcd", 0, A))
    assert serving(web(composer, fixed(D), found("etcd", 0))).keys() == {"d"}
    assert serving(web(composer, fixed(), found("etcd", 0))).keys() == {"a"}


def test_who_runs_and_must_not_serve_is_no_reason_to_keep_others() -> None:
    composer = Composer([how("docker", keep_last=True)])
    web(composer, found("docker", 0, A))
    paused = replace(A, state=EndpointState.WAITING)
    assert web(composer, found("docker", 0, paused)).endpoints == (paused,)
    assert names(web(composer, found("docker", 0))) == ["a"], "READY, as it was last"


def test_those_found_last_outlive_a_restart() -> None:
    before = Composer([how("etcd", keep_last=True)])
    web(before, found("etcd", 0, A))
    after = Composer([how("etcd", keep_last=True)], before.last)
    assert names(web(after)) == ["a"]
    assert names(web(after, found("etcd", 0))) == ["a"]


def test_an_address_that_an_engine_gave_to_another_is_not_kept() -> None:
    composer = Composer([how("docker", recycles=True, keep_last=True)])
    web(composer, found("docker", 0, A, B))
    assert names(web(composer, found("docker", 0))) == ["a", "b"]
    thief = Service("other", endpoints=(replace(A, id="new"),))
    merged = Merger().merge(composer.compose([found("docker", 0, others=(thief,))]))
    assert names(merged.by_name["web"]) == ["b"]
    assert composer.last == {"web": (B,)}


def test_a_stale_source_counts_as_what_it_knew() -> None:
    composer = Composer([how("etcd", fallback=True)])
    known = found("etcd", 0, A)
    web(composer, fixed(D), known)
    merged = Merger().merge(composer.compose([fixed(D), replace(known, stale="away since 12:00:00")]))
    assert serving(merged.by_name["web"]).keys() == {"a"}


def test_which_items_count_can_be_said_from_outside() -> None:
    counting = {0}
    composer = Composer([how("one", "two", keep_last=True)], counts=lambda name, items, parts: counting)
    snapshots = found("one", 0, A), found("two", 1, B)
    service = web(composer, *snapshots)
    assert serving(service) == {"a": "registered a"}
    assert [e.turn for e in service.endpoints] == [1, NEVER]
    counting.add(1)
    counting.remove(0)
    assert web(composer, *snapshots) == service, "nobody said so yet"
    composer.recount(["web", "other"])
    assert serving(web(composer, *snapshots)) == {"b": "registered b"}


def test_unchanged_means_the_same_object() -> None:
    composer = Composer([how("one", "two", first=True, fallback=True, keep_last=True)])
    other = Service("other", endpoints=(C,))
    chooser = Chooser(Here())
    snapshots = fixed(D), found("one", 0, A, others=(other,)), found("two", 1, B)
    before = composer.compose(snapshots)
    chosen = chooser.choose(before[0].services[0], lambda _: "up")
    again = composer.compose(snapshots)
    assert all(old is new for old, new in zip(before, again, strict=True))

    part = snapshots[1].services[1]
    same = snapshots[0], replace(snapshots[1], services=(replace(other), part)), snapshots[2]
    after = composer.compose(same)
    assert after[0] is before[0], "another service of that source is no matter of ours"
    assert after[2].services is not before[2].services

    more = snapshots[0], replace(snapshots[1], services=(other, replace(part, endpoints=(A, C)))), snapshots[2]
    composer.compose(snapshots)
    grown = composer.compose(more)
    assert grown[2].services is composer.compose(more)[2].services
    service = grown[0].services[0]
    assert service is not before[0].services[0]
    assert service.endpoints[0] is before[0].services[0].endpoints[0]
    now = chooser.choose(service, lambda _: "up")
    assert now.endpoints[0] is chosen.endpoints[0]
    assert chooser.choose(service, lambda _: "up") is now


def test_a_source_without_parts_is_not_looked_at() -> None:
    composer = Composer([how("etcd", "consul")])
    plain = Snapshot("docker", (Service("x"),))
    assert composer.compose([plain])[1] is plain
    assert Composer().compose([plain]) == [plain]


def test_problems_of_parts_are_the_services() -> None:
    composer = Composer([how("etcd", "consul")])
    problem = Problem("etcd /a", "is not JSON", service=part_of("web", 0))
    _, rest = composer.compose([replace(found("etcd", 0), problems=(problem,))])
    assert rest.problems == (replace(problem, service="web"),)


def test_who_is_labelled_with_the_name_serves_beside() -> None:
    labelled = Service("web", routes=ROUTES, policy=Policy(retries=3), endpoints=(C,))
    composer = Composer([how("etcd", fallback=True)])
    merged = Merger().merge(composer.compose([fixed(D), found("etcd", 0, A, others=(labelled,))]))
    assert not merged.problems
    assert serving(merged.by_name["web"]).keys() == {"a", "c"}


def test_what_a_source_knew_stays_while_its_successor_is_awaited() -> None:
    """Its parts are pieces of the service then, as they were served."""
    composer = Composer([how("one", "one", "two", first=True)])
    both = Snapshot("one", (*found("one", 0, A).services, *found("one", 1, B).services))
    web(composer, both, found("two", 2, C))
    left = composer.left(both)
    composer.set([how("two", "three", first=True)])
    merged = Merger().merge([*composer.compose([found("two", 0, C)]), left])
    assert serving(merged.by_name["web"]).keys() == {"a", "c"}
    assert {e.name for e in merged.by_name["web"].endpoints} == {"a", "b", "c"}
    assert merged.by_name.keys() == {"web"}
    assert web(composer, found("two", 0, C)).endpoints[0].name == "c"


def test_a_saved_snapshot_of_another_configuration_is_understood() -> None:
    saved = replace(found("etcd", 0, A), stale="saved")
    assert Composer([how("etcd", "consul")]).known(saved) is saved
    (service,) = Composer().known(saved).services
    assert (service.name, service.routes, names(service)) == ("web", (), ["a"])


_NAMES = st.sets(st.sampled_from("abcd"))
_STATES = st.sampled_from(list(EndpointState))


@st.composite
def _worlds(draw: st.DrawFn) -> list[Snapshot]:
    """What three sources and the fallback know at one moment; not all of them have spoken."""
    said = []
    for index, source in enumerate(("one", "two", "two")):
        endpoints = [endpoint(name, state=draw(_STATES)) for name in sorted(draw(_NAMES))]
        others = (Service("other"),) if draw(st.booleans()) else ()
        said.append(found(source, index, *endpoints, others=others))
    two = Snapshot("two", (*said[1].services, *(s for s in said[2].services if s.name != "other")))
    world = [fixed(*(endpoint(name) for name in sorted(draw(_NAMES)))), said[0], two]
    return [snapshot for snapshot in world if draw(st.integers(0, 9))]


@given(st.lists(_worlds(), min_size=1, max_size=6), st.booleans(), st.booleans(), st.booleans())
def test_history_does_not_matter_but_for_what_was_found_last(
    worlds: list[list[Snapshot]], first: bool, fallback: bool, always: bool
) -> None:
    how_made = how("one", "two", "two", first=first, fallback=fallback, always=fallback and always)
    composer = Composer([how_made])
    for world in worlds:
        made = composer.compose(world)
        again = composer.compose(world)
        assert all(old is new for old, new in zip(made, again, strict=True))
    everything = {snapshot.source: snapshot for world in worlds for snapshot in world}
    composer.compose(list(everything.values()))
    fresh = Composer([how_made], twins=composer.twins.told())
    assert composer.compose(list(everything.values())) == fresh.compose(list(everything.values()))
    assert composer.compose(list(everything.values()))[0] is composer.compose(list(everything.values()))[0]
