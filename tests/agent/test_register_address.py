"""This host's address, when nobody says it."""

from __future__ import annotations

import pytest

from longshore.agent import register_address
from longshore.agent.register_address import Own, own_address, servers_of
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource


@pytest.mark.parametrize(
    ("source", "servers"),
    [
        (EtcdSource(endpoints=("http://a.test:2379", "https://[fd00::1]:2379")), [("a.test", 2379), ("fd00::1", 2379)]),
        (ConsulSource(address="https://consul.test:8501"), [("consul.test", 8501)]),
        (ConsulSource(address="unix:///run/consul.sock"), []),
        (ZookeeperSource(hosts=("10.0.0.1:2181", "[fd00::1]:2182")), [("10.0.0.1", 2181), ("fd00::1", 2182)]),
    ],
)  # fmt: skip
def test_where_registries_are(source: Registry, servers: list[tuple[str, int]]) -> None:
    assert servers_of(source) == servers


@pytest.mark.parametrize(
    ("ways", "own"),
    [
        ({"10.0.0.1": "10.0.0.5", "192.0.2.1": "198.51.100.7"}, Own("10.0.0.5")),  # towards the registry
        ({"192.0.2.1": "198.51.100.7"}, Own("198.51.100.7")),  # it is on this host: the default route
        ({"2001:db8::1": "fd00::5"}, Own("fd00::5")),
        ({}, Own(why="there is no route to other hosts")),
    ],
)
async def test_the_address_is_that_of_the_way_to_others(
    ways: dict[str, str], own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_address, "_towards", lambda place: ways.get(place, ""))
    assert await own_address([EtcdSource(endpoints=("http://10.0.0.1:2379",))]) == own


async def test_loopback_is_no_address_of_this_host() -> None:
    assert register_address._towards("127.0.0.1") == ""
    assert register_address._towards("::1") == ""


async def test_a_name_that_does_not_resolve_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_address, "_towards", lambda _: "")
    own = await own_address([EtcdSource(endpoints=("http://nowhere.invalid:2379",))])
    assert own == Own(why="there is no route to other hosts, and nowhere.invalid does not resolve")
