"""Containers: the engine's inspect documents become records, whatever is missing in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.containers import Container, Network, Published, from_inspect, read_snapshot

ID = "4f5e9c1d2a3b" + "0" * 52
DOC: dict[str, Any] = {
    "Id": ID,
    "Name": "/shop-web-1",
    "Image": "sha256:abc",
    "Created": "2024-05-01T10:00:00.123456789Z",
    "State": {"Status": "running", "StartedAt": "2024-05-01T12:00:01+02:00", "Health": {"Status": "healthy"}},
    "Config": {
        "Image": "local/web:1.2",
        "Labels": {"longshore.host": "a.test"},
        "Env": ["A=1", "B=x=y", "EMPTY"],
        "ExposedPorts": {"8000/tcp": {}, "53/udp": {}},
        "StopSignal": "SIGQUIT",
    },
    "HostConfig": {"NetworkMode": "shop_default"},
    "NetworkSettings": {
        "Ports": {
            "8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}, {"HostIp": "::", "HostPort": "32768"}],
            "9000/tcp": None,
        },
        "Networks": {
            "shop_default": {"NetworkID": "n1", "IPAddress": "172.18.0.2", "GlobalIPv6Address": "FD00::2"},
            "back": {"NetworkID": "n2", "IPAddress": "", "GlobalIPv6Address": ""},
        },
    },
}


def test_every_field_of_a_full_document() -> None:
    assert from_inspect(DOC) == Container(
        id=ID,
        name="shop-web-1",
        image="local/web:1.2",
        labels={"longshore.host": "a.test"},
        env={"A": "1", "B": "x=y", "EMPTY": ""},
        status="running",
        health="healthy",
        networks=(Network("back", "n2"), Network("shop_default", "n1", "172.18.0.2", "fd00::2")),
        published=(Published(8000, "tcp", "0.0.0.0", 32768), Published(8000, "tcp", "::", 32768)),
        exposed=((53, "udp"), (8000, "tcp"), (9000, "tcp")),
        network_mode="shop_default",
        stop_signal="SIGQUIT",
        created=1714557600.123456,
        started=1714557601.0,
        since=1714557601.0,
    )


def test_an_id_is_enough() -> None:
    assert from_inspect({"Id": ID}) == Container(ID, ID[:12])


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"Status": "paused", "Running": True}, "paused"),
        ({"Running": True, "Paused": True}, "paused"),
        ({"Running": True, "Restarting": True}, "restarting"),
        ({"Running": True}, "running"),
        ({"Running": False}, "exited"),
    ],
)
def test_states_of_old_engines_are_understood(state: dict[str, Any], status: str) -> None:
    assert from_inspect({"Id": ID, "State": state}).status == status


def test_no_healthcheck_is_no_health() -> None:
    assert from_inspect({"Id": ID, "State": {"Health": {"Status": "none"}}}).health == ""


def test_a_moment_that_never_was_is_zero() -> None:
    doc = {"Id": ID, "Created": "0001-01-01T00:00:00Z", "State": {"StartedAt": "soon"}}
    assert (from_inspect(doc).created, from_inspect(doc).started) == (0.0, 0.0)


def test_what_is_no_address_is_none() -> None:
    doc = {"Id": ID, "NetworkSettings": {"Networks": {"a": {"IPAddress": "1.2.3.4; shutdown"}}}}
    assert from_inspect(doc).networks == (Network("a"),)


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ([], "is not an object"),
        ({}, 'has no "Id"'),
        ({"Id": 5}, 'has no "Id"'),
        ({"Id": ID, "Config": []}, "Config is not an object"),
        ({"Id": ID, "Name": 5}, "Name is not text"),
        ({"Id": ID, "Config": {"Env": "A=1"}}, "Env is not a list"),
        ({"Id": ID, "NetworkSettings": {"Networks": {"a": 5}}}, "a is not an object"),
    ],
)
def test_what_is_wrong_is_said(doc: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_inspect(doc)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"Id": st.text()}, optional={key: JSON for key in DOC if key != "Id"}))
def test_any_document_is_read_or_refused_with_value_error(doc: dict[str, Any]) -> None:
    try:
        found = from_inspect(doc)
    except ValueError:
        return
    assert found.id == doc["Id"]


@pytest.mark.parametrize("part", ["State", "Config", "NetworkSettings"])
@given(data=st.data())
def test_any_part_of_a_document_may_be_anything(part: str, data: st.DataObject) -> None:
    doc = {**DOC, part: {key: data.draw(JSON) for key in DOC[part]}}
    try:
        found = from_inspect(doc)
    except ValueError:
        return
    assert found.id == ID


def test_a_snapshot_keeps_what_can_be_read() -> None:
    containers, problems = read_snapshot(json.dumps([DOC, {"Name": "x"}, DOC]))
    assert [found.name for found in containers] == ["shop-web-1"]
    assert [(one.where, one.what) for one in problems] == [("snapshot entry 2", 'cannot be read: has no "Id"')]


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("{}", "is not an array"), ("[" * 10**5, "is no")])
def test_a_file_that_is_no_snapshot_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_snapshot(text)
