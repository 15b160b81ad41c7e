"""Profiles are few: what can be data does not make one; what fixes a backend does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.model import Check, Endpoint, Policy, Route, Service
from longshore.core.paths import Paths
from longshore.core.profile import Profile, profile_of

OLD, NEW = TYPICAL[2, 6], TYPICAL[3, 4]
PATHS = Paths("/var/lib/longshore")
HTTP = Check(kind="http")


def profile(policy: Policy | None = None, caps: Capabilities = NEW, **service: object) -> Profile:
    return profile_of(replace(Service("web", policy=policy or Policy()), **service), caps, PATHS)  # type: ignore[arg-type]


def test_what_is_data_makes_no_profile() -> None:
    """Names, routes, endpoints, check path and host, and all that stands in the server's own words."""
    base = profile(Policy(check=HTTP))
    for other in (
        profile(Policy(check=HTTP), name="other"),
        profile(Policy(check=HTTP), routes=(Route("a.test", "/x"), Route(listen=":8080"))),
        profile(Policy(check=HTTP), endpoints=(Endpoint("1", "a", "10.0.0.1", 80),)),
        profile(Policy(check=replace(HTTP, path="/health", host="a.test"))),
        profile(Policy(check=replace(HTTP, interval=3, rise=4, fall=5))),
        profile(Policy(check=HTTP, max_connections=5, slow_start=9, drain=3)),
    ):
        assert other == base
    assert profile(Policy(check=Check(kind="none"))) == profile()


def test_what_fixes_a_backend_makes_a_profile() -> None:
    tcp = profile(mode="tcp")
    policies = [
        Policy(),
        Policy(balance="leastconn"),
        Policy(balance="source"),
        Policy(check=HTTP),
        Policy(check=replace(HTTP, status="200")),
        Policy(check=replace(HTTP, expect="ok")),
        Policy(check=Check(timeout=1)),
        Policy(sticky="a"),
        Policy(sticky="b"),
        Policy(timeout=1),
        Policy(connect_timeout=1),
        Policy(queue_timeout=1),
        Policy(tunnel_timeout=1),
        Policy(retries=1),
        Policy(hold=1),
        Policy(tls=True),
        Policy(redirect_https=True),
        Policy(hsts=1),
        Policy(auth=("a:$5$x",)),
        Policy(auth=("a:$5$y",)),
        Policy(server_tls="insecure"),
    ]
    names = {tcp.name, *(profile(policy).name for policy in policies)}
    assert len(names) == 1 + len(policies)


def test_equal_stripping_shares_a_profile_whatever_is_stripped() -> None:
    strip = Policy(strip_path=True)
    api, app = (profile(strip, routes=(Route("a.test", path),)) for path in ("/api", "/app"))
    assert api == app
    assert api != profile(strip, routes=(Route("a.test", "/a/b"),))
    assert profile(strip, routes=(Route("a.test"),)) == profile()


@pytest.mark.parametrize(
    ("balance", "lines"),
    [
        ("roundrobin", ["balance roundrobin"]),
        ("url_param(id)", ["balance url_param id", "hash-type consistent"]),
        ("hdr(X-User)", ["balance hdr(X-User)", "hash-type consistent"]),
        ("source", ["balance source", "hash-type consistent"]),
        ("random(3)", ["balance random(3)"]),
    ],
)
def test_hashes_are_consistent_so_that_servers_can_come_and_go(balance: str, lines: list[str]) -> None:
    assert list(profile(Policy(balance=balance)).lines[: len(lines)]) == lines
    assert "hash-type consistent" not in profile(Policy(balance=balance)).lines[len(lines) :]


def test_only_static_rr_takes_no_servers_at_runtime() -> None:
    assert not profile(Policy(balance="static-rr")).dynamic
    assert profile(Policy(balance="rdp-cookie"), mode="tcp").dynamic


@pytest.mark.parametrize("balance", ["uri", "hdr(a)", "url_param(a)"])
def test_http_algorithms_are_refused_for_tcp(balance: str) -> None:
    with pytest.raises(ValueError, match="reads HTTP requests"):
        profile(Policy(balance=balance), mode="tcp")


@pytest.mark.parametrize(
    "policy",
    [
        Policy(balance="roundrobin\n  server x"),
        Policy(sticky="a b"),
        Policy(sticky="a\nb"),
        Policy(check=replace(HTTP, expect="a\nb")),
        Policy(check=replace(HTTP, status="200\nb")),
    ],
)
def test_nothing_breaks_out_of_its_line(policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"."):
        profile(policy)


def test_cookies_are_dynamic_where_servers_cannot_carry_one() -> None:
    old, new = profile(Policy(sticky="route"), OLD), profile(Policy(sticky="route"), NEW)
    assert old.dynamic_cookie
    assert any(line.endswith(" dynamic") for line in old.lines)
    assert not new.dynamic_cookie
    assert not any("dynamic" in line for line in new.lines)


def test_a_sticky_cookie_is_kept_off_plain_http_where_the_service_is() -> None:
    assert any(" secure" in line for line in profile(Policy(sticky="route", tls=True)).lines)
    assert not any(" secure" in line for line in profile(Policy(sticky="route")).lines)


def test_hold_needs_lua() -> None:
    assert profile(Policy(hold=5)).hold
    assert profile(Policy(hold=5), replace(NEW, lua=False)) == profile(caps=replace(NEW, lua=False))


def test_clients_are_turned_away_before_anything_is_done_for_them() -> None:
    """https first, then the password, and only then is anything changed or waited for."""
    everything = Policy(tls=True, redirect_https=True, auth=("a:$5$x",), strip_path=True, hold=5)
    lines = profile(everything, routes=(Route("a.test", "/api"),)).lines
    order = ["return status 404", "redirect", "http-request auth", "set-path", "disable-l7-retry", "longshore-hold"]
    places = [next(i for i, line in enumerate(lines) if word in line) for word in order]
    assert places == sorted(places)


def test_http_only_policy_does_not_reach_tcp() -> None:
    policy = Policy(sticky="a", tls=True, redirect_https=True, hsts=5, auth=("a:$5$x",), strip_path=True)
    assert profile(policy, mode="tcp") == profile(mode="tcp")
