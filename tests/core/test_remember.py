"""Services that lost their last endpoint are remembered for a while."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from longshore.core.conflicts import claim_of
from longshore.core.merge import Merged, merge
from longshore.core.model import Endpoint, Mode, Problem, Route, Service, Snapshot
from longshore.core.remember import Remembered, latest, remember, restored

FORGET = 600.0


def service(name: str, *routes: Route, mode: Mode = "http") -> Service:
    endpoints = (Endpoint(f"{name}-1:80", f"{name}-1", "10.0.0.1", 80),)
    return Service(name, mode, routes or (Route(host=f"{name}.test"),), endpoints=endpoints, sources=("docker",))


def of(*services: Service, problems: tuple[Problem, ...] = (), stale: str = "") -> Merged:
    return merge([Snapshot("docker", services, problems, stale)])


def after(*steps: tuple[float, Merged], forget: float = FORGET) -> Remembered:
    """Remember through these moments."""
    state = Remembered()
    for now, merged in steps:
        state = remember(state, merged, now, forget)
    return state


def test_what_is_there_is_served_as_it_is() -> None:
    web = service("web")
    state = after((0, of(web)))
    assert state.services == (web,)
    assert state.kept == {}
    assert state.next is None


def test_a_service_that_is_gone_keeps_its_routes_but_no_endpoint() -> None:
    web, api = service("web"), service("api")
    state = after((0, of(web, api)), (5, of(api)))
    assert [each.name for each in state.services] == ["api", "web"]
    assert state.by_name["web"] == replace(web, endpoints=())
    assert state.next == 5 + FORGET


def test_it_is_forgotten_when_its_time_is_up_and_not_before() -> None:
    steps = ((0.0, of(service("web"))), (5.0, of()))
    assert "web" in after(*steps, (4 + FORGET, of())).by_name
    state = after(*steps, (5 + FORGET, of()))
    assert state.by_name == {}
    assert state.forgotten == ("web",)


def test_its_time_runs_from_the_moment_it_went() -> None:
    state = after((0, of(service("web"))), (5, of()), (300, of()), (500, of()))
    assert state.kept["web"].since == 5


def test_nothing_is_remembered_when_forget_after_is_zero() -> None:
    assert after((0, of(service("web"))), (5, of()), forget=0).services == ()


def test_a_service_that_returns_is_the_new_one() -> None:
    new = service("web", Route(host="new.test"))
    state = after((0, of(service("web"))), (5, of()), (9, of(new)))
    assert state.services == (new,)
    assert state.kept == {}
    assert state.forgotten == ()


def test_another_service_takes_the_route_and_the_rest_is_kept() -> None:
    old = service("old", Route(host="a.test"), Route(host="b.test"))
    state = after((0, of(old)), (5, of(service("new", Route(host="a.test")))))
    assert state.by_name["old"].routes == (Route(host="b.test"),)
    state = remember(state, of(service("new", Route(host="a.test"), Route(host="b.test"))), 6, FORGET)
    assert "old" not in state.by_name
    assert state.forgotten == ("old",)


def test_another_service_takes_the_address_for_another_protocol() -> None:
    old = service("old", Route(listen=":5432"), mode="tcp")
    state = after((0, of(old)), (5, of(service("new", Route(host="x.test", listen=":5432")))))
    assert "old" not in state.by_name


def test_a_problem_that_names_the_service_stops_its_clock() -> None:
    broken = of(problems=(Problem("container web-1", "label longshore.wieght: unknown key", service="web"),))
    steps = ((0.0, of(service("web"))), (5.0, broken), (9999.0, broken))
    assert "web" in after(*steps).by_name
    assert "web" in after(*steps, (9999 + FORGET - 1, of())).by_name
    assert "web" not in after(*steps, (9999 + FORGET, of())).by_name


def test_a_stale_source_stops_the_clock() -> None:
    state = after((0, of(service("web"))), (5, of()), (9999, of(stale="engine does not answer")))
    assert "web" in state.by_name


def test_what_is_not_touched_stays_the_identical_object() -> None:
    first = after((0, of(service("web"), service("api"))), (5, of(service("api"))))
    second = remember(first, of(service("api")), 7, FORGET)
    assert second.by_name["web"] is first.by_name["web"]


def test_memory_survives_a_restart_with_its_times() -> None:
    state = after((0, of(service("web"))), (5, of()))
    again = restored(state.kept)
    assert remember(again, of(), 6, FORGET).kept == state.kept
    assert remember(again, of(service("web")), 6, FORGET).kept == {}
    assert remember(again, of(), 5 + FORGET, FORGET).forgotten == ("web",)


def test_a_stale_snapshot_that_says_less_is_no_news() -> None:
    web, api, newer = service("web"), service("api"), service("web", Route(host="new.test"))
    known = Snapshot("docker", (web, api))
    assert latest(known, Snapshot("docker", stale="no answer")) == Snapshot("docker", (web, api), stale="no answer")
    assert latest(known, Snapshot("docker", (newer,), stale="no answer")).services == (newer, api)
    current = Snapshot("docker", (web,))
    assert latest(known, current) is current
    whole = Snapshot("docker", (web, api), stale="no answer")
    assert latest(known, whole) is whole
    assert latest(None, whole) is whole


ROUTES = st.lists(st.builds(Route, st.sampled_from(["x", "y", "z"])), max_size=2, unique=True).map(tuple)
SERVICES = st.lists(
    st.builds(lambda name, routes: Service(name, routes=routes), st.sampled_from("abc"), ROUTES),
    max_size=3,
    unique_by=lambda each: each.name,
)


@given(st.lists(st.tuples(SERVICES, st.floats(0, 400)), max_size=6))
def test_after_any_history_no_route_leads_to_two_services(history: list[tuple[list[Service], float]]) -> None:
    state, now = Remembered(), 0.0
    for services, passed in history:
        now += passed
        merged = of(*services)
        state = remember(state, merged, now, FORGET)
        claims = [claim_of(route, each.mode) for each in state.services for route in each.routes]
        assert len(claims) == len(set(claims))
        assert state.services[: len(merged.services)] == merged.services
        assert all(not each.service.endpoints for each in state.kept.values())
        assert state.next is None or state.next > now
