"""What the registrar writes of a container: one table of containers, and what becomes of each."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.core.address import Here
from longshore.core.containers import Container, Network, Published
from longshore.core.model import EndpointState
from longshore.core.places import joined
from longshore.core.register_check import RegisterCheck
from longshore.core.registration import Options, Registration
from longshore.core.registration_of import registration_of
from tests.core.made import compose, container, published

OPTIONS = Options(owner="box.1", name="box", address="10.0.0.5", zone="eu-1a", tags=("blue",))
PUBLIC = published(8000, 32768)
WEB = {"service": "web"}


def made(one: Container, **options: Any) -> dict[str, Registration]:
    """The registrations of a container, which has no problem, by their keys."""
    found = registration_of(one, _options(**options))
    assert found.problems == ()
    return {each.key: each for each in found.registrations}


def the(one: Container, **options: Any) -> Registration:
    """The only registration of a container."""
    (found,) = made(one, **options).values()
    return found


def problem(one: Container, **options: Any) -> str:
    """The only problem of a container, which gives no registration."""
    found = registration_of(one, _options(**options))
    assert found.registrations == ()
    (told,) = found.problems
    return f"{told.what}; {told.hint}"


def _options(**options: Any) -> Options:
    return Options(**{name: getattr(OPTIONS, name) for name in OPTIONS.__dataclass_fields__} | options)


def address(one: Container, **options: Any) -> str:
    entry = the(one, **options).entry
    return joined(entry.host, entry.port)


def test_an_entry_says_all_that_balancers_elsewhere_need() -> None:
    """Keys about this host have places of their own in the entry, or are nobody else's business."""
    labels = WEB | {"host": "a.test", "weight": "50", "sticky": "SRV", "network": "front", "register-check": "tcp"}
    labels |= {"deregister-delay": "0", "port": "8000"}
    entry = the(container("shop-web-1", labels=labels, published=PUBLIC, started=77.0)).entry
    assert (entry.service, entry.id) == ("web", "000000000001:8000")
    assert (entry.host, entry.port, entry.name, entry.weight) == ("10.0.0.5", 32768, "shop-web-1", 50)
    assert entry.labels == (("longshore.host", "a.test"), ("longshore.sticky", "SRV"))
    assert (entry.tags, entry.zone, entry.owner, entry.machine) == (("blue",), "eu-1a", "box.1", "box")
    assert entry.since == 77.0


@pytest.mark.parametrize(
    ("labels", "fields", "options", "expected"),
    [
        ({}, {"published": PUBLIC}, {}, "10.0.0.5:32768"),
        ({}, {"published": PUBLIC}, {"address": "fd00::5"}, "[fd00::5]:32768"),
        ({}, {"published": PUBLIC}, {"address": "vm1.internal"}, "vm1.internal:32768"),
        ({}, {"published": published(8000, 80, "192.0.2.7")}, {}, "192.0.2.7:80"),
        ({}, {"published": published(8000, 80, "192.0.2.7") + PUBLIC}, {}, "10.0.0.5:32768"),
        ({}, {"published": published(8000, 80, "127.0.0.1") + published(8000, 81, "192.0.2.7")}, {}, "192.0.2.7:81"),
        ({}, {"published": (Published(8000, "tcp", "::", 8080),)}, {}, "10.0.0.5:8080"),
        ({}, {"network_mode": "host", "networks": (Network("host"),)}, {}, "10.0.0.5:8000"),
        ({}, {"published": PUBLIC}, {"networks": ("bridge",)}, "172.17.0.1:8000"),
        ({}, {}, {"networks": ("other", "n0")}, "172.17.0.1:8000"),
        ({}, {"networks": (Network("v6", "n6", "", "fd00::7"),)}, {"networks": ("v6",)}, "[fd00::7]:8000"),
        ({"register-address": "192.0.2.9"}, {"published": PUBLIC}, {}, "192.0.2.9:32768"),
        ({"register-address": "192.0.2.9:99"}, {"published": PUBLIC}, {}, "192.0.2.9:99"),
        ({"register-address": "172.17.0.1"}, {"published": PUBLIC}, {}, "172.17.0.1:8000"),
        ({"register-address": "host"}, {}, {}, "10.0.0.5:8000"),
        ({"register-address": "host"}, {"published": PUBLIC}, {}, "10.0.0.5:32768"),
        ({"register-address": "published"}, {"published": PUBLIC}, {"networks": ("bridge",)}, "10.0.0.5:32768"),
        ({"address": "192.0.2.9:99"}, {"published": PUBLIC}, {}, "192.0.2.9:99"),
        ({"address": "127.0.0.1:99", "port": "8000"}, {"published": PUBLIC}, {}, "10.0.0.5:32768"),
        ({"address": "published"}, {"published": PUBLIC}, {}, "10.0.0.5:32768"),
    ],
)
def test_the_address_is_one_that_other_hosts_reach(
    labels: dict[str, str], fields: dict[str, Any], options: dict[str, Any], expected: str
) -> None:
    assert address(container(labels=WEB | labels, **fields), **options) == expected


def test_compose_s_name_of_a_network_may_be_short() -> None:
    one = container(labels=WEB, raw_labels=compose("shop", "web"), networks=(Network("shop_lan", "n1", "192.0.2.30"),))
    assert address(one, networks=("lan",)) == "192.0.2.30:8000"


@pytest.mark.parametrize(
    ("labels", "fields", "told"),
    [
        ({}, {}, "no other host can reach port 8000: it is not published; publish it: -p 8000; or if other hosts can "
         "reach bridge, name that network in register.networks"),
        ({}, {"networks": ()}, "it is not published; publish it: -p 8000, or say longshore.register-address"),
        ({}, {"published": published(8000, 80, "127.0.0.1")}, "published only on 127.0.0.1, where no other host can"),
        ({}, {"published": published(8000, 80, "::1")}, "published only on ::1, where no other host can"),
        ({"register-address": "published"}, {}, "the address is to be published, but port 8000 is not"),
        ({}, {"exposed": (), "published": ()}, "says no port: its image exposes no TCP port"),
        ({}, {"exposed": ((80, "tcp"), (81, "tcp"))}, "has several TCP ports: 80 or 81; say which: longshore.port=80"),
        ({"wieght": "5"}, {"published": PUBLIC}, "label longshore.wieght: unknown key; did you mean weight?"),
        ({"register-check": "docker"}, {"published": PUBLIC}, "the container has no HEALTHCHECK"),
    ],
)  # fmt: skip
def test_what_cannot_be_registered_is_said_with_the_cure(
    labels: dict[str, str], fields: dict[str, Any], told: str
) -> None:
    assert told in problem(container(labels=WEB | labels, **fields))


@pytest.mark.parametrize(
    ("labels", "fields", "options"),
    [
        ({}, {}, {}),  # no label of ours
        (WEB | {"register": "false"}, {}, {}),
        ({"register": "false"}, {}, {"expose": "all"}),
        (WEB | {"enable": "false"}, {}, {"expose": "all"}),
        (WEB, {"status": "exited"}, {}),
        (WEB, {"raw_labels": {"com.docker.compose.oneoff": "True"}}, {}),
        (WEB, {}, {"here": Here(container=f"{1:012x}" + "0" * 52)}),  # longshore itself
        (WEB, {}, {"address": ""}),  # this host's address is not known: said once, not of each
        ({}, {"published": ()}, {"expose": "all"}),
        ({}, {"published": published(8000, 80, "127.0.0.1")}, {"expose": "all"}),
    ],
)
def test_what_is_not_to_be_registered_is_left_out_silently(
    labels: dict[str, str], fields: dict[str, Any], options: dict[str, Any]
) -> None:
    assert made(container(labels=labels, **{"published": PUBLIC, **fields}), **options) == {}


def test_a_label_is_enough() -> None:
    assert set(made(container(labels={"register": "true"}, published=PUBLIC))) == {"app/000000000001:8000"}


def test_the_published_port_is_meant_when_only_one_is() -> None:
    assert address(container(labels=WEB, exposed=((8000, "tcp"), (9000, "tcp")), published=PUBLIC)) == "10.0.0.5:32768"


def test_several_services_of_one_container() -> None:
    labels = {"web.port": "8000", "web.host": "a.test", "admin.port": "9000", "dns.port": "53/udp", "zone": "b"}
    ports = PUBLIC + published(9000, 32769) + (Published(53, "udp", "0.0.0.0", 53),)
    found = made(container(labels=labels, published=ports))
    assert {key: each.entry.port for key, each in found.items()} == {
        "web/000000000001:8000": 32768,
        "admin/000000000001:9000": 32769,
        "dns/000000000001:53:udp": 53,
    }
    assert {each.entry.zone for each in found.values()} == {"b"}
    assert found["web/000000000001:8000"].entry.labels == (("longshore.host", "a.test"),)
    udp = found["dns/000000000001:53:udp"]
    assert udp.entry.labels == (("longshore.enable", "false"), ("protocol", "udp")), "balancers pass it over"
    assert udp.check.kind == RegisterCheck("none")


def test_one_bad_service_does_not_harm_the_other() -> None:
    one = container(labels={"web.port": "8000", "admin.port": "9000"}, published=PUBLIC)
    found = registration_of(one, OPTIONS)
    assert [each.key for each in found.registrations] == ["web/000000000001:8000"]
    assert [each.service for each in found.problems] == ["admin"]


def test_with_expose_all_every_port_that_others_reach_is_registered() -> None:
    assert set(made(container(published=PUBLIC), expose="all")) == {"app/000000000001:8000"}
    both = PUBLIC + published(9000, 32769) + published(5432, 5432, "127.0.0.1")
    assert set(made(container(published=both), expose="all")) == {
        "app-8000/000000000001:8000",
        "app-9000/000000000001:9000",
    }
    host = container(network_mode="host", networks=(), exposed=((53, "tcp"), (53, "udp")))
    assert set(made(host, expose="all")) == {"app-53/000000000001:53", "app-53-udp/000000000001:53:udp"}


@pytest.mark.parametrize(
    ("labels", "fields", "check"),
    [
        ({}, {}, "tcp"),
        ({"check": "/health"}, {}, "/health"),
        ({"check": "/health", "server-tls": "verify"}, {}, "https:/health"),
        ({"check": "none"}, {}, "none"),
        ({"check": "/health", "register-check": "grpc"}, {}, "grpc"),
        ({"check": "/health"}, {"health": "healthy"}, "docker"),
        ({"register-check": "redis"}, {"health": "unhealthy"}, "redis"),
    ],
)
def test_the_check(labels: dict[str, str], fields: dict[str, Any], check: str) -> None:
    assert str(the(container(labels=WEB | labels, published=PUBLIC, **fields)).check.kind) == check


def test_it_is_checked_where_this_host_reaches_it_best() -> None:
    labels = WEB | {"check": "/", "check-host": "a.test", "check-expect": "ok", "check-interval": "5s"}
    labels |= {"check-method": "OPTIONS"}
    asked = the(container(labels=labels, published=PUBLIC), rise=3, timeout=0.5).check
    assert (asked.address, asked.port, asked.proxied) == ("172.17.0.1", 8000, False)
    assert (asked.method, asked.host, asked.status, asked.expect) == ("OPTIONS", "a.test", "200-399", "ok")
    assert (asked.interval, asked.timeout, asked.rise, asked.fall) == (5.0, 0.5, 3, 2)
    inside = Here(in_container=True, gateway="172.18.0.1")
    asked = the(container(labels=WEB, published=PUBLIC), here=inside).check
    assert (asked.address, asked.port, asked.proxied) == ("172.18.0.1", 32768, True)
    asked = the(container(labels=WEB | {"address": "192.0.2.9:99"}, published=PUBLIC)).check
    assert (asked.address, asked.port) == ("192.0.2.9", 99)


@pytest.mark.parametrize(
    ("labels", "fields", "state"),
    [
        ({}, {}, EndpointState.READY),
        ({}, {"stopping": True}, EndpointState.STOPPING),
        ({}, {"status": "paused"}, EndpointState.WAITING),
        ({}, {"health": "starting"}, EndpointState.WAITING),
        ({}, {"health": "unhealthy"}, EndpointState.WAITING),
        ({}, {"health": "healthy"}, EndpointState.READY),
        ({"register-check": "tcp"}, {"health": "unhealthy"}, EndpointState.READY),  # said: the HEALTHCHECK is not asked
    ],
)
def test_the_state(labels: dict[str, str], fields: dict[str, Any], state: EndpointState) -> None:
    assert the(container(labels=WEB | labels, published=PUBLIC, **fields)).state is state


def test_between_two_starts_a_container_without_address_is_no_problem() -> None:
    assert made(container(labels=WEB, status="restarting", networks=())) == {}


def test_a_delay_needs_a_stop_signal_that_does_nothing() -> None:
    labels = WEB | {"deregister-delay": "5s"}
    assert the(container(labels=labels, published=PUBLIC, stop_signal="SIGURG")).delay == 5.0
    found = registration_of(container(labels=labels, published=PUBLIC), OPTIONS)
    assert [each.delay for each in found.registrations] == [0.0]
    assert "its stop signal SIGTERM ends it at once" in found.problems[0].what
    assert "SIGURG" in found.problems[0].hint
    by_config = registration_of(container(labels=WEB, published=PUBLIC), _options(delay=3.0))
    assert (by_config.problems, by_config.undelayed) == ((), True)
    assert the(container(labels=WEB, published=PUBLIC, stop_signal="WINCH"), delay=3.0).delay == 3.0
