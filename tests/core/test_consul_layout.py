"""Rows of Consul's catalog: what our registrar says comes back whole, what others registered is understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.entries import Broken, Entry
from longshore.core.layouts import consul
from tests.core.test_registry_layouts_any import ENTRIES, JSON


def row(body: dict[str, Any], node: str = "n1", datacenter: str = "dc1", status: str = "passing") -> dict[str, Any]:
    """The row of /v1/health/service that an agent gives for what was registered with `body`."""
    service = {
        "ID": body["ID"],
        "Service": body["Name"],
        "Tags": body.get("Tags"),
        "Address": body.get("Address", ""),
        "Port": body.get("Port", 0),
        "Meta": body.get("Meta"),
        "Weights": body.get("Weights", {"Passing": 1, "Warning": 1}),
    }
    checks = [{"CheckID": "serfHealth", "Status": "passing"}, {"CheckID": "own", "Status": status}]
    return {
        "Node": {"Node": node, "Address": "10.0.0.1", "Datacenter": datacenter},
        "Service": service,
        "Checks": checks,
    }


def check_row(body: dict[str, Any], status: str = "passing") -> dict[str, Any]:
    """The row of /v1/health/state for the check of what was registered with `body`."""
    check = {key: body["Check"][key] for key in ("CheckID", "Name", "Notes")}
    return check | {"Node": "n1", "Status": status, "ServiceID": body["ID"], "ServiceName": body["Name"]}


def test_a_registration_is_what_consul_takes() -> None:
    entry = Entry(
        "web",
        "h1:web-1:8000",
        "10.0.0.5",
        31000,
        "web-1",
        50,
        (("longshore.check-path", "/x"), ("longshore.host", "a.test"), ("com.example.v", "2"), ("tier", "web")),
        tags=("blue",),
        zone="eu-1a",
        owner="h1.0a1b2c3d",
        machine="h1",
        since=1700000000.5,
    )
    assert consul.registration(entry, 10) == {
        "ID": "web/h1:web-1:8000",
        "Name": "web",
        "Address": "10.0.0.5",
        "Port": 31000,
        "Tags": ["longshore", "blue", "com.example.v=2"],
        "Meta": {
            "longshore-entry-owner": "h1.0a1b2c3d",
            "longshore-entry-machine": "h1",
            "longshore-entry-zone": "eu-1a",
            "longshore-entry-name": "web-1",
            "longshore-entry-since": "1700000000.5",
            "longshore-entry-weight": "50",
            "longshore-check-path": "/x",
            "longshore-host": "a.test",
            "tier": "web",
        },
        "EnableTagOverride": False,
        "Weights": {"Passing": 50, "Warning": 1},
        "Check": {
            "CheckID": "longshore:web/h1:web-1:8000",
            "Name": "kept by longshore",
            "Notes": '{"host":"10.0.0.5","port":31000,"name":"web-1","weight":50,"labels":{"longshore.check-path":"/x",'
            '"longshore.host":"a.test","com.example.v":"2","tier":"web"},"tags":["blue"],"zone":"eu-1a","machine":"h1",'
            '"owner":"h1.0a1b2c3d","since":1700000000.5,"ttl":10}',
            "TTL": "10s",
            "Status": "passing",
            "DeregisterCriticalServiceAfter": "1m",
        },
    }


TIDY = st.text("abcXYZ019-_.", min_size=1, max_size=10)
PLAIN = ENTRIES.flatmap(
    lambda entry: st.builds(
        lambda labels, tags, name, since: Entry(
            entry.service,
            entry.id,
            entry.host,
            entry.port,
            name,
            entry.weight,
            tuple(sorted(labels.items())),
            tags,
            entry.zone,
            entry.owner,
            machine=entry.machine,
            since=since,
        ),
        st.dictionaries(
            TIDY.filter(lambda key: not key.startswith(("longshore-", "longshore_", "longshore.entry")))
            | st.sampled_from(["longshore.host", "longshore.check-status", "a.b/c", "ä"]),
            st.text(max_size=10) | st.just("x" * 600),
            max_size=5,
        ),
        st.lists(TIDY.filter(lambda tag: tag != consul.OURS), max_size=3).map(tuple),
        TIDY,
        st.just(0.0) | st.integers(1, 2_000_000_000).map(float),
    )
)


@given(PLAIN)
def test_what_a_registrar_of_ours_registers_comes_back_whole(entry: Entry) -> None:
    body = consul.registration(entry, 10)
    assert all(consul.META_KEY.fullmatch(key) and len(value) <= 512 for key, value in body["Meta"].items())
    assert len(body["Meta"]) <= 64
    expected = Entry(**{**{f: getattr(entry, f) for f in Entry.__slots__}, "status": "passing", "datacenter": "dc1"})
    assert consul.read(row(body)) == expected
    assert consul.kept(check_row(body), "dc1") == expected


@pytest.mark.parametrize(
    ("meta", "tags"),
    [
        ({"longshore-host": "a.test"}, []),
        ({"longshore_host": "a.test"}, []),
        ({}, ["longshore.host=a.test"]),
    ],
)
def test_services_of_others_may_say_our_labels(meta: dict[str, str], tags: list[str]) -> None:
    found = consul.read(row({"ID": "h1:web-1:80", "Name": "web", "Port": 80, "Meta": meta, "Tags": tags}))
    assert isinstance(found, Entry)
    assert found.labels == (("longshore.host", "a.test"),)


def test_a_service_of_others_is_reached_at_its_node_unless_it_says_where() -> None:
    found = consul.read(row({"ID": "web", "Name": "web", "Port": 80, "Tags": ["v1", "a=b"], "Meta": {"version": "2"}}))
    assert found == Entry(
        "web",
        "10.0.0.1:80",
        "10.0.0.1",
        80,
        "web",
        labels=(("version", "2"),),
        tags=("v1", "a=b"),
        owner="n1",
        machine="n1",
        status="passing",
        datacenter="dc1",
    )
    elsewhere = consul.read(row({"ID": "web", "Name": "web", "Port": 80, "Address": "10.0.0.9"}))
    assert isinstance(elsewhere, Entry)
    assert elsewhere.host == "10.0.0.9"


def test_one_id_on_two_nodes_is_two_keys() -> None:
    body = {"ID": "web", "Name": "web", "Port": 80}
    assert consul.key_of(row(body, "n1")) == "dc1/n1/web"
    assert consul.key_of(row(body, "n2")) == "dc1/n2/web"


@pytest.mark.parametrize(
    ("status", "expected"), [("passing", "passing"), ("warning", "passing"), ("critical", "critical")]
)
def test_a_critical_check_is_said(status: str, expected: str) -> None:
    found = consul.read(row({"ID": "web", "Name": "web", "Port": 80}, status=status))
    assert isinstance(found, Entry)
    assert found.status == expected


def test_only_our_checks_are_entries_and_broken_ones_are_said() -> None:
    body = consul.registration(Entry("web", "1", "10.0.0.5", 80), 10)
    lost = consul.kept(check_row(body, "critical"))
    assert isinstance(lost, Entry)
    assert lost.status == "critical"
    gone = consul.kept(check_row(body, "critical") | {"Output": consul.LEAVING})
    assert isinstance(gone, Entry)
    assert gone.status == "leaving"
    assert consul.kept(check_row(body) | {"Name": "Serf Health Status", "ServiceID": "", "ServiceName": ""}) is None
    assert consul.kept(check_row(body) | {"ServiceID": "other"}) is None
    assert consul.kept(check_row(body) | {"Notes": "by hand"}) == Broken("n1/web/1", 'is not JSON: "by hand"')


def test_an_id_that_consul_could_not_be_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be part of a key"):
        consul.registration(Entry("web", "a/../b", "10.0.0.5", 80), 10)


@given(st.dictionaries(st.sampled_from(["Node", "ServiceID", "ServiceName", "Notes", "Status"]), JSON))
def test_any_check_gives_an_entry_a_problem_or_nothing(found: dict[str, Any]) -> None:
    named = {"Name": consul.KEPT, "ServiceName": "web", "ServiceID": "web/1", "Node": "n1"}
    assert isinstance(consul.kept(named | found), Entry | Broken | None)


def test_a_service_without_a_port_is_said() -> None:
    found = consul.read(row({"ID": "web", "Name": "web"}))
    assert found == Broken("dc1/n1/web", 'Port is not a port from 1 to 65535: "0"')


@given(st.dictionaries(st.sampled_from(["Node", "Service", "Checks"]), JSON, max_size=3))
def test_any_row_gives_an_entry_or_a_problem(found: dict[str, Any]) -> None:
    assert isinstance(consul.read(found), Entry | Broken)
