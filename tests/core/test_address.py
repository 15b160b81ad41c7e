"""Addresses: the rule of the design, one row for each way a container can be placed."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.core.address import Here, reach
from longshore.core.containers import Network
from longshore.core.places import address
from longshore.core.values import RefusedError
from tests.core.made import compose, container, published

HOST = Here(host_network=True)
INSIDE = Here(frozenset({"front", "n7"}), in_container=True)
INSIDE_WITH_GATEWAY = Here(frozenset({"front"}), in_container=True, gateway="172.18.0.1")
ON_HOST_NETWORK = Here(in_container=True, host_network=True)
REMOTE = Here(remote="10.9.9.9")

ONE = (Network("bridge", "n0", "172.17.0.2"),)
TWO = (Network("back", "n2", "10.2.0.2"), Network("front", "n1", "10.1.0.2"))
SHOP = (Network("a", "n3", "10.3.0.2"), Network("shop_default", "n4", "10.4.0.2"))
V6 = (Network("six", "n6", "", "fd00::2"),)
NONE = (Network("bridge", "n0"),)
MODE_HOST = {"networks": (Network("host", "nh"),), "network_mode": "host"}

REACHED: list[tuple[str, dict[str, Any], Here, str, tuple[str, int], str]] = [
    ("on the host: its bridge address", {"networks": ONE}, HOST, "", ("172.17.0.2", 8000), "network bridge"),
    ("not in any container", {"networks": ONE}, Here(), "", ("172.17.0.2", 8000), "network bridge"),
    ("in a container on the host's network", {"networks": ONE}, ON_HOST_NETWORK, "", ("172.17.0.2", 8000), "bridge"),
    ("several networks: by name", {"networks": TWO}, HOST, "", ("10.2.0.2", 8000), "network back"),
    (
        "Compose's default network first",
        {"networks": SHOP, "raw_labels": compose("shop", "web")},
        HOST,
        "",
        ("10.4.0.2", 8000),
        "network shop_default",
    ),
    ("the network that is shared", {"networks": TWO}, INSIDE, "", ("10.1.0.2", 8000), "shared with the balancer"),
    ("shared by id", {"networks": (Network("x", "n7", "10.7.0.2"),)}, INSIDE, "", ("10.7.0.2", 8000), "network x"),
    ("IPv6 alone", {"networks": V6}, HOST, "", ("fd00::2", 8000), "network six"),
    ("the network that is named", {"networks": TWO}, HOST, "network=front", ("10.1.0.2", 8000), "network front"),
    (
        "named as in the Compose file",
        {"networks": SHOP, "raw_labels": compose("shop", "web")},
        HOST,
        "network=default",
        ("10.4.0.2", 8000),
        "network shop_default",
    ),
    (
        "a network that its host cannot reach is passed over",
        {"networks": TWO},
        Here(beyond=frozenset({"n2"})),
        "",
        ("10.1.0.2", 8000),
        "network front",
    ),
    (
        "no shared network: the published port",
        {"networks": ONE, "published": published(8000, 32768)},
        INSIDE_WITH_GATEWAY,
        "",
        ("172.18.0.1", 32768),
        "published port 0.0.0.0:32768",
    ),
    ("remote engine", {"published": published(8000, 80)}, REMOTE, "", ("10.9.9.9", 80), "published port"),
    (
        "published on one address",
        {"published": published(8000, 80, "10.9.9.8")},
        REMOTE,
        "",
        ("10.9.9.8", 80),
        "published port 10.9.9.8:80",
    ),
    ("the host's network", MODE_HOST, HOST, "", ("127.0.0.1", 8000), "the host's network"),
    ("the host's network, remote", MODE_HOST, REMOTE, "", ("10.9.9.9", 8000), "the host's network"),
    ("a fixed address", {}, HOST, "address=10.5.0.1", ("10.5.0.1", 8000), "as said"),
    ("a fixed address and port", {}, HOST, "address=[fd00::1]:81", ("fd00::1", 81), "as said"),
    (
        "published, as said",
        {"networks": ONE, "published": published(8000, 81)},
        HOST,
        "address=published",
        ("127.0.0.1", 81),
        "published port",
    ),
    (
        "published on IPv6 alone",
        {"published": published(8000, 81, "::")},
        HOST,
        "address=published",
        ("::1", 81),
        "published port [::]:81",
    ),
    ("the host, as said", {"networks": ONE}, HOST, "address=host", ("127.0.0.1", 8000), "as said"),
    ("the host's port", {"published": published(8000, 81)}, HOST, "address=host", ("127.0.0.1", 81), "as said"),
]


def said(words: str) -> tuple[Any, str]:
    key, _, value = words.partition("=")
    return (address(value) if key == "address" else None), (value if key == "network" else "")


@pytest.mark.parametrize(
    ("fields", "here", "words", "place", "reason"), [row[1:] for row in REACHED], ids=[r[0] for r in REACHED]
)
def test_reached(fields: dict[str, Any], here: Here, words: str, place: tuple[str, int], reason: str) -> None:
    found = reach(container(**fields), 8000, *said(words), here)
    assert (found.address, found.port) == place
    assert reason in found.reason


UNREACHED: list[tuple[str, dict[str, Any], Here, str, str, str]] = [
    (
        "not shared",
        {"networks": ONE},
        INSIDE,
        "",
        "it is in network bridge, and port 8000 is not",
        "docker network connect bridge",
    ),
    ("remote, not published", {"networks": TWO}, REMOTE, "", "it is in networks back, front", "publish port 8000"),
    ("no address yet", {"networks": NONE}, HOST, "", "no address can be reached", "publish port 8000"),
    (
        "published on loopback of another machine",
        {"published": published(8000, 80, "127.0.0.1")},
        REMOTE,
        "",
        "127.0.0.1:80",
        "publish",
    ),
    ("host's network, host unknown", MODE_HOST, INSIDE, "", "no address", "longshore.address"),
    (
        "not in that network",
        {"networks": ONE},
        HOST,
        "network=front",
        "is not in network front",
        "name one of its networks",
    ),
    (
        "that network is not shared",
        {"networks": TWO},
        INSIDE,
        "network=back",
        "back is not shared",
        "docker network connect back",
    ),
    (
        "not published",
        {"networks": ONE},
        HOST,
        "address=published",
        "port 8000 is not published",
        "publish it: -p 8000",
    ),
    ("the host is unknown", {"networks": ONE}, INSIDE, "address=host", "the host's address is not known", "say the IP"),
    ("UDP is not TCP", {"networks": NONE, "exposed": ((8000, "udp"),)}, HOST, "", "not published", "publish"),
]


@pytest.mark.parametrize(
    ("fields", "here", "words", "what", "hint"), [row[1:] for row in UNREACHED], ids=[r[0] for r in UNREACHED]
)
def test_unreached_says_where_it_is_and_what_to_do(
    fields: dict[str, Any], here: Here, words: str, what: str, hint: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        reach(container(**fields), 8000, *said(words), here)
    assert what in str(caught.value)
    assert hint in caught.value.hint
