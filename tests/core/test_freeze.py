"""The freeze: a sudden loss of most endpoints is doubted, what answers stays, what does not is gone."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from longshore.core.freeze import KEPT, Freeze
from longshore.core.model import Endpoint, Problem, Route, Service


def made(name: str, *ids: int) -> Service:
    offset = sum(name.encode()) % 200
    endpoints = tuple(Endpoint(f"{name}-{i}", f"{name}-{i}", f"10.{offset}.0.{i}", 80) for i in ids)
    return Service(name, routes=(Route(f"{name}.test"),), endpoints=endpoints)


def ids(services: Iterable[Service]) -> list[str]:
    return [endpoint.id for service in services for endpoint in service.endpoints]


def named(services: Iterable[Service]) -> dict[str, Service]:
    return {service.name: service for service in services}


def frozen(*before: Service, after: Iterable[Service] = ()) -> Freeze:
    freeze = Freeze("etcd")
    freeze.take(named(before), None, 0.0)
    freeze.take(named(after), None, 100.0)
    return freeze


def test_a_registry_that_is_empty_all_at_once_is_doubted() -> None:
    web = made("web", 1, 2, 3)
    freeze = frozen(web)
    assert freeze.services == (web,)
    assert sorted(endpoint.id for _, endpoint in freeze.doubted) == ["web-1", "web-2", "web-3"]
    assert freeze.alarm is None, "nobody is alarmed before it is known that they answer"


def test_half_of_them_or_two_of_them_may_go() -> None:
    assert ids(frozen(made("web", 1, 2, 3, 4, 5, 6), after=[made("web", 1, 2, 3)]).services) == [
        "web-1",
        "web-2",
        "web-3",
    ]
    assert frozen(made("web", 1, 2)).services == ()
    assert len(frozen(made("web", 1, 2, 3, 4, 5), after=[made("web", 1, 2)]).doubted) == 3


def test_endpoints_that_answer_stay_with_an_alarm_and_those_that_do_not_go() -> None:
    freeze = frozen(made("web", 1, 2), made("api", 1))
    freeze.answered(("web", "web-1"), alive=True)
    freeze.answered(("web", "web-2"), alive=False)
    freeze.answered(("api", "api-1"), alive=False)
    assert ids(freeze.services) == ["web-1"]
    assert freeze.services[0].endpoints[0].reason == KEPT
    assert freeze.services[0].routes == (Route("web.test"),)
    assert freeze.alarm == Problem(
        "source etcd",
        "1 endpoints of web vanished from the registry together, but answer: they stay in use",
        "if they are meant to go: longshore thaw etcd",
    )
    freeze.answered(("web", "web-1"), alive=False)
    assert freeze.alarm is None
    assert not freeze.services
    assert not freeze.doubted


def test_endpoints_that_return_are_as_registered() -> None:
    web = made("web", 1, 2, 3)
    freeze = frozen(web)
    for number in (1, 2, 3):
        freeze.answered(("web", f"web-{number}"), alive=True)
    freeze.take(named([web]), ["web"], 101.0)
    assert freeze.services == (web,)
    assert freeze.services[0] is web
    assert freeze.alarm is None


def test_an_operator_accepts_the_loss() -> None:
    freeze = frozen(made("web", 1, 2, 3))
    assert freeze.thaw() == 3
    assert freeze.services == ()
    assert freeze.thaw() == 0


def test_losses_one_by_one_within_the_window_are_one_loss() -> None:
    freeze = Freeze("etcd")
    for now, present in enumerate([(1, 2, 3, 4, 5), (1, 2, 3, 4), (1, 2, 3), (1, 2), (1,)]):
        freeze.take(named([made("web", *present)]), None, float(now))
    assert ids(freeze.services) == ["web-1", "web-2", "web-3", "web-4", "web-5"]


def test_losses_one_by_one_over_a_long_time_are_none() -> None:
    freeze = Freeze("etcd")
    for now, present in enumerate([(1, 2, 3, 4, 5), (1, 2, 3, 4), (1, 2, 3), (1, 2), (1,)]):
        freeze.take(named([made("web", *present)]), None, now * 20.0)
    assert ids(freeze.services) == ["web-1"]


def test_while_frozen_whoever_is_lost_is_doubted_too() -> None:
    freeze = Freeze("etcd")
    freeze.take(named([made("web", 1, 2, 3, 4, 5)]), None, 0.0)
    freeze.take(named([made("web", 5)]), None, 100.0)
    freeze.take(named([]), None, 150.0)
    assert ids(freeze.services) == ["web-1", "web-2", "web-3", "web-4", "web-5"]


def test_a_new_name_for_the_same_address_is_no_loss() -> None:
    """A whole service moves to another name, or all ids change: nobody is gone."""
    old = made("web", 1, 2, 3)
    new = Service("shop", endpoints=tuple(Endpoint(f"x{e.id}", e.name, e.address, e.port) for e in old.endpoints))
    assert ids(frozen(old, after=[new]).services) == ["xweb-1", "xweb-2", "xweb-3"]


def test_an_address_that_somebody_else_registers_is_not_kept() -> None:
    freeze = frozen(made("web", 1, 2, 3))
    freeze.answered(("web", "web-1"), alive=True)
    lost = made("web", 1).endpoints[0]
    taker = Service("api", endpoints=(Endpoint("api-1", "api-1", lost.address, lost.port),))
    freeze.take(named([taker]), ["api"], 101.0)
    assert ids(freeze.services) == ["api-1", "web-2", "web-3"]


def test_what_was_served_before_a_restart_is_compared_with_the_first_listing() -> None:
    web = made("web", 1, 2, 3)
    freeze = Freeze("etcd", [web])
    freeze.take(named([]), None, 0.0)
    assert freeze.services == (web,)
    assert len(freeze.doubted) == 3


def test_without_a_loss_services_are_the_identical_objects() -> None:
    web, api = made("web", 1), made("api", 1)
    freeze = Freeze("etcd")
    freeze.take(named([api, web]), None, 0.0)
    assert freeze.services[0] is api
    before = freeze.services
    freeze.take(named([api, web]), [], 1.0)
    assert freeze.services is before
    more = made("web", 1, 2)
    freeze.take(named([api, more]), ["web"], 2.0)
    assert freeze.services[1] is more


STATES = st.lists(
    st.dictionaries(st.sampled_from(["web", "api", "db"]), st.sets(st.integers(1, 4), max_size=4), max_size=3),
    max_size=6,
)


@given(STATES, st.data())
def test_what_is_registered_is_always_served_and_what_is_served_was_registered(
    states: list[dict[str, set[int]]], data: st.DataObject
) -> None:
    """And at the end, when all doubts are settled or thawed, exactly what is registered is served."""
    freeze = Freeze("etcd")
    ever: set[str] = set()
    before: dict[str, Service] = {}
    registered: list[Service] = []
    for now, state in enumerate(states):
        registered = [made(name, *sorted(numbers)) for name, numbers in sorted(state.items())]
        ever |= set(ids(registered))
        after = {service.name: service for service in registered}
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        freeze.take(named(registered), changed if now else None, now * data.draw(st.sampled_from([1.0, 30.0])))
        before = after
        for mark, _ in data.draw(
            st.lists(st.sampled_from(freeze.doubted), unique=True) if freeze.doubted else st.just([])
        ):
            freeze.answered(mark, alive=data.draw(st.booleans()))
        served = ids(freeze.services)
        assert len(served) == len(set(served))
        assert set(ids(registered)) <= set(served) <= ever
        assert set(served) - set(ids(registered)) == {endpoint.id for _, endpoint in freeze.doubted}
        assert list(freeze.services) == sorted(freeze.services, key=lambda service: service.name)
    freeze.thaw()
    assert list(freeze.services) == registered
