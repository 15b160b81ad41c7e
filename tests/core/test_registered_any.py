"""Whatever stands in a registry, in whatever order it comes: the result is right, and nobody is harmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.core.conditions import read as condition
from longshore.core.entries import Entry
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Service
from longshore.core.registered import Options, Registered, Value, build
from tests.core.test_registered import OPTIONS, PREFIX, entry, key, pick


def test_unchanged_services_are_the_identical_object() -> None:
    registered = Registered(OPTIONS)
    registered.replace({key("web/a"): entry(), key("api/a"): entry("10.0.0.6")})
    before, _ = registered.build()
    registered.changed.clear()
    registered.put(key("web/b"), entry("10.0.0.7"))
    after, _ = registered.build()
    assert after[0] is before[0]
    assert registered.changed == {"web"}
    registered.delete(key("web/b"))
    registered.replace({key("web/a"): entry(), key("api/a"): entry("10.0.0.6")})
    again, _ = registered.build()
    assert registered.build()[0] is again
    assert again == before


VALUES = st.one_of(
    st.binary(max_size=8),
    st.builds(
        lambda host, port, owner, since, labels: entry(host, port, owner=owner, since=since, labels=labels),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "vm1", "vm2"]),
        st.integers(80, 82),
        st.sampled_from(["", "h1", "h2"]),
        st.integers(0, 2),
        st.sampled_from(
            [{}, {"longshore.host": "a.test"}, {"longshore.host": "b.test"}, {"longshore.oops": "1"}, {"tier": "web"}]
        ),
    ),
)
KEYS = st.sampled_from([key(rest) for rest in ("web/a", "web/b", "web/a_0000000001", "api/a", "x y/a", "web", "a/b/c")])
NAMES = st.fixed_dictionaries(
    {}, optional={"vm1": st.sampled_from(["10.0.0.1", "10.0.0.3"]), "vm2": st.just("10.0.0.4")}
)
CHANGES: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just("put"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("replace"), st.dictionaries(KEYS, VALUES, max_size=4)),
    st.tuples(st.just("resolved"), NAMES, st.just({})),
    st.tuples(st.just("build")),
)
VARIANTS = (
    OPTIONS,
    Options("etcd", LAYOUTS["native"], PREFIX, labels=(condition("tier!=web"),)),
    Options(
        "etcd",
        LAYOUTS["native"],
        PREFIX,
        picks=(pick("shop", {"host": "c.test"}, service="web"), pick("t", labels=(condition("tier"),))),
    ),
    Options("etcd", LAYOUTS["native"], PREFIX, "named", picks=(pick("web", service="api"),)),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VARIANTS), st.lists(CHANGES, max_size=12))
def test_the_result_is_that_of_building_from_nothing(options: Options, changes: list[tuple[Any, ...]]) -> None:
    registered = Registered(options)
    names: Mapping[str, str] = {}
    before: dict[str, Service] = {}
    held: dict[str, bytes] = {}
    for what, *arguments in changes:
        getattr(registered, what)(*arguments)
        match what:
            case "put":
                held[arguments[0]] = arguments[1]
            case "delete":
                held.pop(arguments[0], None)
            case "replace":
                held = dict(arguments[0])
            case "resolved":
                names = arguments[0]
        fresh = Registered(options)
        fresh.resolved(names, {})
        fresh.replace(held)
        assert registered.build() == fresh.build()
        after = {service.name: service for service in registered.build()[0]}
        for name in before.keys() & after.keys():
            assert (before[name] == after[name]) == (before[name] is after[name])
        assert {name for name in before.keys() | after.keys() if before.get(name) is not after.get(name)} == (
            registered.changed
        )
        registered.changed.clear()
        before = after


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@settings(max_examples=50, deadline=None)
@given(found=st.dictionaries(st.text(max_size=8).map(key), st.binary(max_size=20), max_size=5))
def test_any_bytes_under_the_prefix_harm_nobody(layout: str, found: dict[str, bytes]) -> None:
    options = Options(
        "etcd", LAYOUTS[layout], PREFIX, picks=(pick("shop", {"host": "a.test"}, labels=(condition("our"),)),)
    )
    good: dict[str, Value] = {key("zz/ours"): Entry("zz", "ours", "10.0.0.5", 80, labels=(("our", "1"),))}
    built, problems = build({**found, **good}, options)
    shop = next(service for service in built if service.name == "shop")
    assert [endpoint.id for endpoint in shop.endpoints] == ["ours"]
    assert all(problem.what.isprintable() and problem.where.isprintable() for problem in problems)
