"""Specs: keys and values become mode, routes and policy, or problems that name everything that is wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core import spec
from longshore.core.keys import KEYS
from longshore.core.model import Check, Policy, Route


def parts(**pairs: object) -> Any:
    found, problems = spec.parse({key.replace("_", "-"): value for key, value in pairs.items()}, "test")
    assert found is not None, problems
    return spec.service_parts(found, "web")


def test_spec_has_a_field_for_every_key() -> None:
    assert {part.name for part in fields(spec.Spec)} == {"given"} | {key.field for key in KEYS.values()}


def test_nothing_said_gives_the_defaults() -> None:
    assert parts() == ("http", (Route(host="web.localhost"),), Policy())


def test_without_a_name_nothing_said_gives_no_route() -> None:
    found, _ = spec.parse({}, "test")
    assert found is not None
    assert spec.service_parts(found)[1] == ()


@pytest.mark.parametrize(
    ("pairs", "mode", "routes"),
    [
        ({"host": "a.test"}, "http", [Route("a.test")]),
        ({"path": "/api"}, "http", [Route("*", "/api")]),
        ({"listen": ":81"}, "http", [Route(listen=":81")]),
        ({"host": "a.test", "listen": ":81"}, "http", [Route("a.test", listen=":81")]),
        (
            {"host": "a.test,b.test", "path": "/x,=/y"},
            "http",
            [Route("a.test", "/x"), Route("a.test", "/y", True), Route("b.test", "/x"), Route("b.test", "/y", True)],
        ),
        ({"tcp": "5432"}, "tcp", [Route(listen=":5432")]),
        ({"tcp": ["5432", "[::]:5432"]}, "tcp", [Route(listen=":5432"), Route(listen="[::]:5432")]),
    ],
)
def test_routes(pairs: dict[str, Any], mode: str, routes: list[Route]) -> None:
    assert parts(**pairs)[:2] == (mode, tuple(routes))


def test_policy_takes_every_key_that_is_said() -> None:
    _, _, policy = parts(
        path="/api", strip_path=True, balance="leastconn", sticky="S", slow_start="30s", max_connections=5, check="/up",
        check_host="a.test", check_status="200", check_expect="ok", check_interval=5, check_timeout=1, check_rise=2,
        check_fall=3, tls=True, hsts="1d", auth="ann:$6$abc$abcdefghijklmnopqrstuv", hold=7, drain=60, timeout="5m",
        connect_timeout=2, queue_timeout=3, tunnel_timeout="8h", retries=1, server_tls="insecure",
    )  # fmt: skip
    assert policy == Policy(
        balance="leastconn",
        check=Check("http", "/up", "a.test", "200", "ok", 5.0, 1.0, 2, 3),
        sticky="S",
        slow_start=30.0,
        max_connections=5,
        timeout=300.0,
        connect_timeout=2.0,
        queue_timeout=3.0,
        tunnel_timeout=28800.0,
        retries=1,
        hold=7.0,
        drain=60.0,
        strip_path=True,
        tls=True,
        hsts=86400,
        auth=("ann:$6$abc$abcdefghijklmnopqrstuv",),
        server_tls="insecure",
    )


@pytest.mark.parametrize(("value", "kind"), [("tcp", "tcp"), ("none", "none"), ("/", "http")])
def test_kinds_of_check(value: str, kind: str) -> None:
    assert parts(check=value)[2].check.kind == kind


@pytest.mark.parametrize(
    ("pairs", "key"),
    [
        ({"tcp": 5432, "host": "a.test"}, "host"),
        ({"tcp": 5432, "path": "/"}, "path"),
        ({"tcp": 5432, "listen": ":81"}, "listen"),
        ({"tcp": 5432, "sticky": "S"}, "sticky"),
        ({"tcp": 5432, "redirect-https": True}, "redirect-https"),
        ({"tcp": 5432, "balance": "uri"}, "balance"),
        ({"strip-path": True}, "strip-path"),
        ({"strip-path": True, "path": "/"}, "strip-path"),
        ({"tls": True, "redirect-https": True}, "redirect-https"),
        ({"listen": ":81", "tls": True}, "tls"),
        ({"check-expect": "ok"}, "check-expect"),
        ({"check": "tcp", "check-status": "200"}, "check-status"),
        ({"check": "none", "check-interval": 5}, "check-interval"),
        ({"network": "front", "address": "published"}, "network"),
        ({"host": [f"h{n}.test" for n in range(60)], "path": [f"/{n}" for n in range(60)]}, "host"),
    ],
)
def test_contradictions_name_the_key_and_the_way_out(pairs: dict[str, object], key: str) -> None:
    found, problems = spec.parse(pairs, "container c", "label longshore.")
    assert found is None
    assert [problem.what.split(":")[0] for problem in problems] == [f"label longshore.{key}"]
    assert problems[0].hint
    assert problems[0].where == "container c"


def test_switched_off_keys_contradict_nothing() -> None:
    """What is false is not there: a template may always write it."""
    assert parts(tcp=5432, sticky=False, tls=False)[0] == "tcp"
    assert parts(strip_path=False, tls=False, redirect_https=True)[2].redirect_https


def test_everything_wrong_is_said_at_once() -> None:
    found, problems = spec.parse(
        {"wieght": 5, "port": "x", "hostt": "a.test", "hots": "a.test"}, "container c", "label longshore."
    )
    assert found is None
    assert [problem.what for problem in problems] == [
        "label longshore.wieght: unknown key; did you mean weight?",
        'label longshore.port: "x" is not a port from 1 to 65535',
        "label longshore.hostt: unknown key; did you mean host?",
        "label longshore.hots: unknown key; did you mean host?",
    ]


def test_enable_false_needs_nothing_else_right() -> None:
    found, problems = spec.parse({"enable": "false", "wieght": "x"}, "test")
    assert found is not None
    assert not found.enable
    assert problems == ()


@given(st.dictionaries(st.one_of(st.sampled_from(list(KEYS)), st.text()), st.text(), max_size=6))
def test_any_pairs_give_a_spec_or_printable_problems(pairs: dict[str, str]) -> None:
    found, problems = spec.parse(pairs, "test", "label longshore.")
    assert (found is None) == bool(problems)
    for problem in problems:
        assert problem.what.isprintable()
        assert len(problem.what) < 1000
