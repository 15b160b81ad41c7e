"""What is taken from an entry's haproxy_server_options: nothing of it ever reaches HAProxy's configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.server_options import ServerOptions, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ServerOptions()),
        pytest.param("backup", ServerOptions(backup=True), id="A3 haproxy_server_options: backup"),
        pytest.param(
            "check inter 2s rise 3 fall 2 weight 20 backup",
            ServerOptions(backup=True, weight=20),
            id="A3 haproxy_server_options: weight",
        ),
        pytest.param(
            "maxconn 10 ssl verify none",
            ServerOptions(others="maxconn 10 ssl verify none"),
            id="A3 haproxy_server_options: others are said",
        ),
        ("weight", ServerOptions(others="weight")),
        ("weight -1", ServerOptions(others="weight -1")),
        ("weight 1.5 inter", ServerOptions(others="weight 1.5 inter")),
        ("weight 99999999999", ServerOptions(others="weight 99999999999")),
    ],
)
def test_what_is_taken(text: str, expected: ServerOptions) -> None:
    assert read(text) == expected


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    found = read(text)
    assert found.weight is None or found.weight >= 0
