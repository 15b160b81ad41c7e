"""Checks of Nerve's in our terms (reference, A3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.nerve_written import TCP, checked

HTTP = {"type": "http", "uri": "/health"}
USUAL = {"timeout": 0.1, "rise": 1, "fall": 1}
KNOWN = "longshore has http, tcp, redis, rabbitmq and noop; a page that answers 200 while all is well can tell it"
HOST = {"headers": {"Host": "10.0.0.5:3000"}}


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param(TCP, {"check": "tcp", **USUAL}, id="A3 checks tcp"),
        pytest.param(TCP | {"timeout": 2}, {"check": "tcp", **USUAL, "timeout": 2}, id="A3 checks: timeout"),
        pytest.param(
            TCP | {"timeout": "0.5"}, {"check": "tcp", **USUAL, "timeout": 0.5}, id="A3 checks: timeout as text"
        ),
        pytest.param(TCP | {"rise": 3}, {"check": "tcp", **USUAL, "rise": 3}, id="A3 checks: rise"),
        pytest.param(TCP | {"fall": 2}, {"check": "tcp", **USUAL, "fall": 2}, id="A3 checks: fall"),
        pytest.param(TCP | {"name": "mine"}, {"check": "tcp", **USUAL}, id="A3 checks: name"),
        pytest.param(
            TCP | {"host": "127.0.0.1"}, {"check": "tcp", "address": "127.0.0.1", **USUAL}, id="A3 checks: host"
        ),
        pytest.param(TCP | {"port": 3001}, {"check": "tcp", "port": 3001, **USUAL}, id="A3 checks: port"),
        pytest.param(HTTP, {"check": "/health", **HOST, **USUAL, "timeout": 0.3}, id="A3 checks http: uri"),
        pytest.param(
            HTTP | {"ssl": True},
            {"check": "https:/health", **HOST, **USUAL, "timeout": 0.5},
            id="A3 checks http: ssl",
        ),
        pytest.param(
            HTTP | {"ssl": True, "port": 443},
            {"check": "https:/health", "port": 443, "headers": {"Host": "10.0.0.5"}, **USUAL, "timeout": 0.5},
            id="A3 checks http: ssl on its own port",
        ),
        pytest.param(
            HTTP | {"headers": {"X-Check": "1", "Host": "a.test"}},
            {"check": "/health", "headers": {"X-Check": "1", "Host": "a.test"}, **USUAL, "timeout": 0.3},
            id="A3 checks http: headers",
        ),
        pytest.param(
            HTTP | {"expect": "OK"},
            {"check": "/health", **HOST, "expect": "OK", **USUAL, "timeout": 0.3},
            id="A3 checks http: expect",
        ),
        pytest.param(
            HTTP | {"read_timeout": 1},
            {"check": "/health", **HOST, **USUAL, "timeout": 1.2},
            id="A3 checks http: read_timeout",
        ),
        pytest.param(
            HTTP | {"timeout": 1},
            {"check": "/health", **HOST, **USUAL, "timeout": 1.2},
            id="A3 checks http: read_timeout = timeout",
        ),
        pytest.param(
            HTTP | {"open_timeout": 1},
            {"check": "/health", **HOST, **USUAL, "timeout": 1.1},
            id="A3 checks http: open_timeout",
        ),
        pytest.param(
            HTTP | {"ssl": True, "ssl_timeout": 1},
            {"check": "https:/health", **HOST, **USUAL, "timeout": 1.3},
            id="A3 checks http: ssl_timeout",
        ),
        pytest.param(
            {"type": "redis"},
            {"check": "redis:nerve-redis-service-check", **USUAL},
            id="A3 checks redis: PING and EXISTS",
        ),
        pytest.param(
            {"type": "rabbitmq", "username": "u", "password": "p"},
            {"check": "rabbitmq", "username": "u", "password": "p", **USUAL},
            id="A3 checks rabbitmq: username and password",
        ),
        pytest.param({"type": "rabbitmq"}, {"check": "rabbitmq", **USUAL}, id="A3 checks rabbitmq"),
        pytest.param({"type": "noop"}, {"check": "none"}, id="A3 checks noop"),
    ],
)
def test_a_check(tmp_path: Path, check: Any, expected: Any) -> None:
    found = checked(tmp_path, **check)
    assert not found.problems
    assert found.check == expected
    assert not found.notes


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        pytest.param(
            {"type": "mysql"},
            'register.services.web: checks[0].type is "mysql": a check of the Ruby gem nerve-watcher-mysql, which only '
            f"Nerve can run; {KNOWN}",
            id="A3 checks: others by require",
        ),
        pytest.param(
            {"type": "x", "module": "our-checks"},
            'register.services.web: checks[0].type is "x": a check of the Ruby gem our-checks, which only Nerve can '
            f"run; {KNOWN}",
            id="A3 checks: module",
        ),
        pytest.param(
            {"type": "base"},
            'register.services.web: checks[0].type is "base": Nerve\'s own base of checks, which never passes',
            id="A3 checks: base",
        ),
        ({}, "register.services.web: checks[0].type is missing; longshore has http, tcp, redis, rabbitmq and noop"),
        ({"type": "http"}, "register.services.web: checks[0].uri is missing"),
        (
            TCP | {"port": 0},
            "register.services.web: checks[0].port must be a whole number from 1 to 65535, not the number 0",
        ),
        (TCP | {"timeout": "soon"}, 'register.services.web: checks[0].timeout must be a number of seconds, not "soon"'),
        (TCP | {"rise": 0}, "register.services.web.checks[0].rise: expected at least 1, got the number 0"),
        (
            HTTP | {"headers": {"a b": "1"}},
            'register.services.web.checks[0].headers.a b: "a b" is not the name of a header',
        ),
        (
            HTTP | {"uri": "health"},
            'register.services.web.checks[0].check: "health" is not a check of the registrar; write "tcp", "tls", '
            '"/path", "https:/path", "grpc", "grpc:NAME", "redis", "redis:KEY", "rabbitmq", '
            '"exec:COMMAND", "docker" or "none"',
        ),
    ],
)
def test_a_check_that_cannot_be_made_sets_its_service_aside(tmp_path: Path, check: Any, problem: str) -> None:
    found = checked(tmp_path, **check)
    assert found.loaded.valid is not None
    assert "web" not in found.loaded.config.register_.services  # type: ignore[union-attr]
    assert [text.partition(": ")[2] for text in found.problems] == [problem]
    assert all(text.startswith("nerve.conf.json:") for text in found.problems)


@pytest.mark.parametrize(
    ("check", "note"),
    [
        (TCP | {"uri": "/"}, "checks[0].uri: is no key of Nerve's, and passed over"),
        pytest.param(
            TCP | {"module": "x"},
            "checks[0].module: is not loaded: Nerve loads it only where it does not know the type, and tcp it does",
            id="A3 checks: module of a known type",
        ),
    ],
)
def test_what_means_nothing_is_said(tmp_path: Path, check: Any, note: str) -> None:
    found = checked(tmp_path, **check)
    assert not found.problems
    assert [text.partition("services.web: ")[2] for text in found.notes] == [note]
