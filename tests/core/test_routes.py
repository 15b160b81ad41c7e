"""The keys of routes match what the routes mean, by the longest prefix alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.model import Route
from longshore.core.routes import LEVELS, frontend_of, hosts_tried, map_key

SEGMENTS = st.lists(st.sampled_from(["", "a", "ab", "b"]), max_size=4)
PATHS = st.builds(lambda parts: "/" + "/".join(parts), SEGMENTS)
EXACT = st.builds(lambda path: Route("a.test", path, exact=True), PATHS)
PREFIX = st.builds(lambda path: Route("a.test", path.rstrip("/") or "/"), PATHS)  # as a label's path is read


def matches(route: Route, path: str) -> bool:
    """What a route's path means, said without keys."""
    if route.exact:
        return path == route.path
    prefix = route.path.rstrip("/")
    return path == prefix or path.startswith(prefix + "/")


def found(keys: dict[str, Route], host: str, path: str) -> Route | None:
    """What `map_beg` finds: the value of the longest key that the text starts with."""
    text = host + path + "/#"
    return max(
        ((k, r) for k, r in keys.items() if text.startswith(k)), key=lambda item: len(item[0]), default=("", None)
    )[1]


@given(st.lists(EXACT | PREFIX, max_size=6), PATHS)
def test_the_most_specific_matching_route_is_found(routes: list[Route], path: str) -> None:
    """Exact before prefix, the longest prefix before the others; and nothing that does not match."""
    keys = {map_key(route): route for route in routes}
    fitting = [route for route in keys.values() if matches(route, path)]
    best = max(fitting, key=lambda r: (r.exact, len(r.path.rstrip("/"))), default=None)
    hit = found(keys, "a.test", path)
    assert (hit is None) == (best is None)
    if hit and best:
        assert (hit.exact, hit.path.rstrip("/") or hit.exact) == (best.exact, best.path.rstrip("/") or best.exact)


@pytest.mark.parametrize(
    ("route", "key"),
    [
        (Route("a.test"), "a.test/"),
        (Route("a.test", "/api"), "a.test/api/"),
        (Route("a.test", "/api/"), "a.test/api/"),
        (Route("a.test", "/api", exact=True), "a.test/api/#"),
        (Route("*.a.test", "/", exact=True), "*.a.test//#"),
        (Route(), "*/"),
    ],
)
def test_keys(route: Route, key: str) -> None:
    assert map_key(route) == key


@pytest.mark.parametrize("path", ["/a b", "/a\nb", "/a\tb", "/a\0"])
def test_a_path_that_would_break_a_map_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="key of a map"):
        map_key(Route("a.test", path))


@pytest.mark.parametrize(
    ("listen", "http", "tcp"),
    [
        (":8080", "listen-8080", "tcp-8080"),
        ("0.0.0.0:8080", "listen-8080", "tcp-8080"),
        ("*:8080", "listen-8080", "tcp-8080"),
        ("127.0.0.1:80", "listen-127.0.0.1-80", "tcp-127.0.0.1-80"),
        ("[::1]:80", "listen-__1-80", "tcp-__1-80"),
        ("[::]:80", "listen-__-80", "tcp-__-80"),
    ],
)
def test_an_address_of_its_own_is_a_frontend_of_its_own(listen: str, http: str, tcp: str) -> None:
    assert frontend_of(Route(listen=listen)) == http
    assert frontend_of(Route(listen=listen), "tcp") == tcp
    assert map_key(Route(listen=listen), "tcp") == tcp


def test_without_an_address_it_is_the_frontends_of_the_configuration() -> None:
    assert frontend_of(Route("a.test")) == ""


@pytest.mark.parametrize("listen", ["8080", ":", ":http", "a b:80", "a;b:80", "a\nb:80"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=r"address|may only hold"):
        frontend_of(Route(listen=listen))


def test_a_tcp_route_needs_an_address() -> None:
    with pytest.raises(ValueError, match="needs an address"):
        frontend_of(Route(), "tcp")


def test_hosts_are_tried_from_the_nearest_to_the_default() -> None:
    assert hosts_tried("A.b.C.") == ("a.b.c", "*.b.c", "*.c", "*")
    assert hosts_tried("localhost") == ("localhost", "*")
    assert hosts_tried("") == ("*",)
    assert len(hosts_tried("1.2.3.4.5.6.7.8.9.test")) == LEVELS + 2
