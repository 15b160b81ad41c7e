"""How the registrar is told to check."""

from __future__ import annotations

import pytest

from longshore.core.keys import KEYS
from longshore.core.register_check import RegisterCheck, register_check
from longshore.core.values import RefusedError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tcp", RegisterCheck("tcp")),
        ("TLS", RegisterCheck("tls")),
        ("none", RegisterCheck("none")),
        ("docker", RegisterCheck("docker")),
        ("redis", RegisterCheck("redis")),
        ("/health?full=1", RegisterCheck("http", "/health?full=1")),
        ("https:/health", RegisterCheck("https", "/health")),
        ("https", RegisterCheck("https", "/")),
        ("grpc", RegisterCheck("grpc")),
        ("grpc:shop.v1.Cart", RegisterCheck("grpc", "shop.v1.Cart")),
        ("exec:pg_isready -q", RegisterCheck("exec", "pg_isready -q")),
        ("exec:curl localhost:80", RegisterCheck("exec", "curl localhost:80")),
    ],
)
def test_every_kind_is_read_and_spelled_the_same(word: str, expected: RegisterCheck) -> None:
    assert register_check(word) == expected
    assert register_check(str(expected)) == expected
    assert KEYS["register-check"].parse(word) == expected


@pytest.mark.parametrize("word", ["", "http", "exec:", "tcp:80", "grpc:a b", "https:health", "exec:a\nb", "icmp"])
def test_anything_else_is_refused(word: str) -> None:
    with pytest.raises(RefusedError):
        register_check(word)
