"""The registrations of all containers: what is not touched stays the identical object."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from longshore.core.containers import Container
from longshore.core.registration import Options
from longshore.core.registrations import Registrations
from tests.core.made import container, published

OPTIONS = Options(owner="box.1", name="box", address="10.0.0.5", delay=3.0)
LABELS = {"service": "web"}


def web(number: int, **fields: object) -> Container:
    return container(f"web-{number}", number, labels=LABELS, **{"published": published(8000, 9000 + number), **fields})


def test_one_change_leaves_the_others_as_they_are() -> None:
    builder = Registrations(OPTIONS)
    builder.replace_all([web(1), web(2)])
    (one, two), _ = builder.build()
    builder.set(replace(web(2), stopping=True))
    (same, other), _ = builder.build()
    assert same is one
    assert other != two
    builder.set(web(2))
    builder.set(web(2, env={"nobody": "cares"}))
    assert builder.build()[0][0] is one
    assert builder.build() is builder.build()
    builder.remove(two.container)
    assert builder.build()[0] == (one,)
    builder.remove("unknown")
    assert builder.build()[0] == (one,)


def test_a_container_in_the_network_of_another_is_reached_through_that_one() -> None:
    """The side that publishes changes: so does the other."""
    proxy = container("proxy", 1, published=published(8000, 9001))
    app = container("app", 2, labels=LABELS, network_mode=f"container:{proxy.id}", networks=(), exposed=())
    builder = Registrations(OPTIONS)
    builder.set(app)
    assert builder.build()[0] == ()
    builder.set(proxy)
    assert [each.entry.port for each in builder.build()[0]] == [9001]
    builder.set(replace(proxy, published=published(8000, 9002)))
    assert [each.entry.port for each in builder.build()[0]] == [9002]
    builder.remove(proxy.id)
    assert builder.build()[0] == ()


def test_a_delay_of_the_configuration_that_does_nothing_is_said_once() -> None:
    builder = Registrations(OPTIONS)
    builder.replace_all([web(number) for number in range(1, 6)] + [web(9, stop_signal="SIGURG")])
    (problem,) = builder.build()[1]
    assert problem.what.endswith("web-1, web-2, web-3 and 2 more")


CHANGES = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(("set", "stop", "pause", "public", "remove", "bad"))), max_size=20
)


@given(CHANGES)
def test_whatever_happened_before_the_result_is_that_of_a_new_builder(changes: list[tuple[int, str]]) -> None:
    builder, truth = Registrations(OPTIONS), dict[str, Container]()
    for number, action in changes:
        one = truth.get(web(number).id, web(number))
        match action:
            case "remove":
                truth.pop(one.id, None)
                builder.remove(one.id)
                continue
            case "stop":
                one = replace(one, stopping=True)
            case "pause":
                one = replace(one, status="paused")
            case "public":
                one = replace(one, published=())
            case "bad":
                one = replace(one, labels={"longshore.wieght": "1"})
        truth[one.id] = one
        builder.set(one)
        builder.build()
    fresh = Registrations(OPTIONS)
    fresh.replace_all(truth.values())
    found, problems = builder.build()
    expected, expected_problems = fresh.build()
    assert sorted(found, key=lambda each: each.key) == sorted(expected, key=lambda each: each.key)
    assert problems == expected_problems
