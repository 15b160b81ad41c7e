"""Merging snapshots: union by name, conflicts by route, identity of what did not change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.conflicts import claim_of, text_of
from longshore.core.merge import Merged, Merger, merge
from longshore.core.model import Endpoint, Mode, Policy, Problem, Route, Service, Snapshot


def endpoint(name: str, port: int = 80) -> Endpoint:
    place = sum(ord(letter) * 7**i for i, letter in enumerate(name)) % 65536  # each has an address of its own
    return Endpoint(id=f"{name}:{port}", name=name, address=f"10.0.{place // 256}.{place % 256}", port=port)


def service(name: str, *routes: Route, source: str = "docker", mode: Mode = "http", copies: str = "a") -> Service:
    endpoints = tuple(endpoint(f"{name}-{copy}") for copy in copies)
    return Service(name, mode, routes or (Route(host=f"{name}.test"),), Policy(), endpoints, (source,))


def routes_of(merged: Merged, name: str) -> tuple[Route, ...]:
    return merged.by_name[name].routes


def test_services_of_all_sources_come_together_in_their_order() -> None:
    web, api, db = service("web"), service("api"), service("db", source="file")
    merged = merge([Snapshot("docker", (web, api)), Snapshot("file", (db,))])
    assert [each.name for each in merged.services] == ["web", "api", "db"]
    assert merged.by_name["api"] is api
    assert merged.problems == ()


def test_a_service_without_sources_gets_the_name_of_its_snapshot_once() -> None:
    bare = replace(service("web"), sources=())
    merger = Merger()
    first = merger.merge([Snapshot("file", (bare,))])
    assert first.by_name["web"].sources == ("file",)
    again = merger.merge([Snapshot("file", (bare,)), Snapshot("docker", (service("api"),))])
    assert again.by_name["web"] is first.by_name["web"]


def test_the_same_name_in_two_sources_unites_the_endpoints_and_counts_an_id_once() -> None:
    here = service("web", copies="ab")
    there = replace(here, endpoints=(*here.endpoints[1:], endpoint("vm", 8000)), sources=("file",))
    merged = merge([Snapshot("docker", (here,)), Snapshot("file", (there,))])
    (web,) = merged.services
    assert [each.name for each in web.endpoints] == ["web-a", "web-b", "vm"]
    assert web.sources == ("docker", "file")
    assert merged.problems == ()


def test_the_first_source_with_routes_gives_routes_and_policy_and_a_difference_is_said() -> None:
    plain = replace(service("web", source="dns"), routes=())
    lead = replace(service("web", Route(host="web.test")), policy=Policy(balance="leastconn"))
    other = service("web", Route(host="www.test"), source="file")
    merged = merge([Snapshot("dns", (plain,)), Snapshot("docker", (lead,)), Snapshot("file", (other,))])
    assert routes_of(merged, "web") == (Route(host="web.test"),)
    assert merged.by_name["web"].policy.balance == "leastconn"
    (problem,) = merged.problems
    assert problem.where == "source file"
    assert problem.service == "web"
    assert "other routes" in problem.what


def test_other_settings_in_a_second_source_are_said_but_defaults_are_not() -> None:
    lead = service("web")
    other = replace(service("web", source="file"), policy=Policy(sticky="s"))
    quiet = service("web", source="east")
    merged = merge([Snapshot("docker", (lead,)), Snapshot("file", (other,)), Snapshot("east", (quiet,))])
    assert [problem.where for problem in merged.problems] == ["source file"]


def test_parts_of_different_modes_are_not_mixed() -> None:
    web = service("web")
    other = service("web", Route(listen=":5432"), source="file", mode="tcp", copies="z")
    merged = merge([Snapshot("docker", (web,)), Snapshot("file", (other,))])
    assert [each.name for each in merged.by_name["web"].endpoints] == ["web-a"]
    assert "tcp" in merged.problems[0].what


def test_a_claimed_route_stays_with_the_first_and_the_other_keeps_the_rest() -> None:
    shared, own = Route(host="a.test", path="/api"), Route(host="b.test")
    merged = merge([Snapshot("docker", (service("first", shared), service("second", shared, own)))])
    assert routes_of(merged, "first") == (shared,)
    assert routes_of(merged, "second") == (own,)
    (problem,) = merged.problems
    assert problem.service == "second"
    assert 'a.test/api is already taken by service "first"' in problem.what


def test_a_service_that_lost_every_route_goes_on_existing() -> None:
    shared = Route(host="a.test")
    merged = merge([Snapshot("docker", (service("first", shared), service("second", shared)))])
    assert routes_of(merged, "second") == ()
    assert merged.by_name["second"].endpoints


def test_who_has_a_route_keeps_it_when_a_newcomer_sorts_before() -> None:
    shared = Route(host="a.test")
    merger = Merger()
    merger.merge([Snapshot("docker", (service("old", shared),))])
    merged = merger.merge([Snapshot("docker", (service("a-newcomer", shared), service("old", shared)))])
    assert routes_of(merged, "old") == (shared,)
    assert routes_of(merged, "a-newcomer") == ()
    merged = merger.merge([Snapshot("docker", (service("a-newcomer", shared),))])
    assert routes_of(merged, "a-newcomer") == (shared,)
    assert merged.problems == ()


def test_owners_of_an_earlier_life_are_respected() -> None:
    shared = Route(host="a.test")
    both = Snapshot("docker", (service("a", shared), service("b", shared)))
    earlier = Merger().merge([Snapshot("docker", (service("b", shared),))])
    assert routes_of(Merger(earlier.settled.owners).merge([both]), "b") == (shared,)
    assert routes_of(merge([both], {"http a.test/": "gone"}), "a") == (shared,)


def test_an_address_of_an_earlier_life_goes_on_speaking_what_it_spoke() -> None:
    http, tcp = service("a", Route(listen=":9000")), service("b", Route(listen=":9000"), mode="tcp")
    earlier = Merger().merge([Snapshot("docker", (tcp,))])
    merged = Merger(earlier.settled.owners).merge([Snapshot("docker", (http, tcp))])
    assert routes_of(merged, "b") == tcp.routes
    assert routes_of(merged, "a") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Route(host="a.test"), Route(host="a.test")),
        (Route(host="a.test", path="/api"), Route(host="a.test", path="/api/")),
        (Route(host="*"), Route(host="*")),
        (Route(listen=":8080"), Route(listen="0.0.0.0:8080")),
        (Route(host="a.test", path="/x", exact=True), Route(host="a.test", path="/x", exact=True)),
    ],
)
def test_routes_that_no_request_can_tell_apart_collide(one: Route, other: Route) -> None:
    merged = merge([Snapshot("docker", (service("first", one), service("second", other)))])
    assert routes_of(merged, "second") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Route(host="a.test"), Route(host="b.test")),
        (Route(host="a.test"), Route(host="*.test")),
        (Route(host="a.test"), Route(host="*")),
        (Route(host="a.test", path="/api"), Route(host="a.test", path="/apix")),
        (Route(host="a.test", path="/api"), Route(host="a.test", path="/api", exact=True)),
        (Route(host="a.test", path="/x/", exact=True), Route(host="a.test", path="/x", exact=True)),
        (Route(), Route(listen=":8080")),
        (Route(listen=":8080"), Route(listen="127.0.0.1:8080")),
        (Route(host="a.test", listen=":8080"), Route(host="b.test", listen=":8080")),
    ],
)
def test_routes_that_routing_can_tell_apart_live_side_by_side(one: Route, other: Route) -> None:
    merged = merge([Snapshot("docker", (service("first", one), service("second", other)))])
    assert merged.problems == ()
    assert routes_of(merged, "second") == (other,)


def test_one_tcp_address_belongs_to_one_service() -> None:
    first, second = (service(name, Route(listen=":5432"), mode="tcp") for name in ("first", "second"))
    merged = merge([Snapshot("docker", (first, second))])
    assert routes_of(merged, "second") == ()
    assert ":5432 (TCP)" in merged.problems[0].what


def test_an_address_speaks_http_or_tcp_whichever_came_first_and_every_loser_is_told() -> None:
    http = service("page", Route(listen=":9000"))
    tcp = service("queue", Route(listen="*:9000"), mode="tcp")
    more = service("more", Route(listen=":9000", host="m.test"))
    merger = Merger()
    merger.merge([Snapshot("docker", (tcp,))])
    merged = merger.merge([Snapshot("docker", (http, tcp, more))])
    assert routes_of(merged, "queue") == tcp.routes
    assert {problem.service for problem in merged.problems} == {"page", "more"}
    merged = merger.merge([Snapshot("docker", (http, more))])
    assert merged.problems == ()
    assert routes_of(merged, "page") == http.routes


@pytest.mark.parametrize("listen", [":80", "0.0.0.0:80", "127.0.0.1:80", "[::1]:8404", ":8404"])
def test_no_service_takes_an_address_of_the_configuration(listen: str) -> None:
    merger = Merger(reserved={":80": "frontend http", "[::]:8404": "the admin address"})
    merged = merger.merge([Snapshot("docker", (service("web", Route(listen=listen), Route(host="web.test")),))])
    assert routes_of(merged, "web") == (Route(host="web.test"),)
    assert listen in merged.problems[0].what


def test_a_stale_snapshot_counts_like_a_current_one_and_its_reason_is_said_once() -> None:
    web = service("web")
    merged = merge([Snapshot("docker", (web,), stale="engine does not answer since 12:03:04")])
    assert merged.services == (web,)
    assert merged.stale == {"docker": "engine does not answer since 12:03:04"}
    assert [problem.where for problem in merged.problems] == ["source docker"]
    said = Problem("source docker", "cannot connect", "Is it running?")
    assert merge([Snapshot("docker", (web,), (said,), stale="x")]).problems == (said,)


def test_the_same_problem_from_two_sources_is_listed_once() -> None:
    problem = Problem("container x", "says no port")
    assert merge([Snapshot("a", (), (problem,)), Snapshot("b", (), (problem,))]).problems == (problem,)


def test_nothing_changed_gives_the_identical_answer() -> None:
    merger = Merger()
    snapshots = [Snapshot("docker", (service("a"), service("b"))), Snapshot("file", (service("a", source="file"),))]
    assert merger.merge(snapshots) is merger.merge(snapshots)


def test_one_change_leaves_every_other_service_the_identical_object() -> None:
    shared = Route(host="shared.test")
    services = [service(f"s{number}") for number in range(50)]
    services += [service("x", shared), service("y", shared, Route(host="y.test"))]
    file = Snapshot("file", (service("s7", source="file", copies="z"),))
    merger = Merger()
    before = merger.merge([Snapshot("docker", tuple(services)), file])
    services[3] = service("s3", copies="ab")
    after = merger.merge([Snapshot("docker", tuple(services)), file])
    for old, new in zip(before.services, after.services, strict=True):
        assert (old is new) == (old.name != "s3")


NAMES = st.sampled_from(["a", "b", "c", "d"])
HTTP = st.builds(
    Route, st.sampled_from(["x", "y", "*"]), st.sampled_from(["/", "/p"]), listen=st.sampled_from(["", ":1"])
)
TCP = st.builds(Route, listen=st.sampled_from([":1", ":2"]))


@st.composite
def services(draw: st.DrawFn) -> Service:
    mode: Mode = draw(st.sampled_from(["http", "tcp"]))
    routes = draw(st.lists(HTTP if mode == "http" else TCP, max_size=3, unique=True))
    endpoints = draw(st.lists(st.sampled_from([endpoint(name) for name in "pqr"]), max_size=2, unique=True))
    return Service(draw(NAMES), mode, tuple(routes), endpoints=tuple(endpoints))


SNAPSHOTS = st.lists(
    st.builds(Snapshot, st.sampled_from(["s", "t"]), st.lists(services(), max_size=4).map(tuple)), max_size=2
)


@given(st.lists(SNAPSHOTS, min_size=1, max_size=4))
def test_after_any_history_no_route_has_two_owners_and_every_loss_is_said(history: list[list[Snapshot]]) -> None:
    merger = Merger()
    for snapshots in history:
        merged = merger.merge(snapshots)
        claims = [(claim_of(route, each.mode), each.name) for each in merged.services for route in each.routes]
        owners = dict(claims)
        assert all(owners[claim] == name for claim, name in claims)
        assert owners == dict(merged.settled.owners)
        modes = {(route.listen, each.mode) for each in merged.services for route in each.routes if route.listen}
        assert len(modes) == len({listen for listen, _ in modes})
        assert {each.name for each in merged.services} == {each.name for snap in snapshots for each in snap.services}
        wanted = {(each.name, route) for snap in snapshots for each in snap.services for route in each.routes}
        assert {(each.name, route) for each in merged.services for route in each.routes} <= wanted


@given(SNAPSHOTS, SNAPSHOTS)
def test_the_cache_never_changes_the_answer(first: list[Snapshot], second: list[Snapshot]) -> None:
    """A merger with a past and one that only knows who owned what say the same."""
    merger = Merger()
    before = merger.merge(first)
    warm = merger.merge(second)
    fresh = Merger(before.settled.owners).merge(second)
    assert fresh.services == warm.services
    assert set(fresh.problems) == set(warm.problems)


def test_routes_are_spelled_for_people() -> None:
    assert text_of(Route("a.test", "/x", exact=True, listen=":81"), "http") == ":81 a.test/x (exact)"
    assert text_of(Route(listen=":5432"), "tcp") == ":5432 (TCP)"
