"""Ports: an address that a stranger holds is left out, said with its holder, and tried again."""

from __future__ import annotations

from longshore.agent.ports import AGAIN, Ports
from longshore.core.frontend import Bind, Frontend
from longshore.core.model import Route, Service
from longshore.core.raw import Line, RawProcess, RawSection
from longshore.core.raw_addresses import addresses
from longshore.haproxy.faults import BusyAddress

OWN = Service("own", routes=(Route(listen=":8080"),))
HELD = BusyAddress(":8080", "nginx (pid 7) listens on :8080 already")


def test_a_busy_address_is_taken_until_it_is_free() -> None:
    held = [HELD]
    ports = Ports(lambda _: list(held))
    assert ports.look([OWN], (), frozenset(), 0.0) == {":8080": HELD.why}
    assert "nginx" in ports.problems([OWN], ())[0].what
    held.clear()
    assert ":8080" in ports.look([OWN], (), frozenset(), AGAIN - 0.1), "not asked again so soon"
    assert ports.look([OWN], (), frozenset(), AGAIN) == {}
    assert ports.problems([OWN], ()) == ()


def test_what_haproxy_listens_on_is_never_asked_about() -> None:
    def fail(_: list[str]) -> list[BusyAddress]:
        raise AssertionError("asked")

    assert Ports(fail).look([OWN], (), frozenset({":8080"}), 0.0) == {}


def test_an_address_nobody_wants_any_more_is_forgotten() -> None:
    ports = Ports(lambda _: [HELD])
    ports.look([OWN], (), frozenset(), 0.0)
    assert ports.look([], (), frozenset(), 1.0) == {}


def test_a_frontend_keeps_the_addresses_that_can_be_had() -> None:
    ports = Ports(lambda asked: [HELD] if ":8080" in asked else [])
    both = Frontend("both", "http", (Bind(":80"), Bind(":8080")), "routes.map")
    one = Frontend("one", "http", (Bind(":8080"),), "routes.map")
    assert ports.free((both, one)) == (both, one)
    ports.look([], (both, one), frozenset(), 0.0)
    assert ports.free((both, one)) == (Frontend("both", "http", (Bind(":80"),), "routes.map"),)
    assert [problem.where for problem in ports.problems([], (both, one))] == ["frontend both", "frontend one"]


def test_a_shared_address_is_left_out_until_it_may_be_joined() -> None:
    shared = BusyAddress(":8080", "haproxy (pid 7) listens there already", "", 7, "haproxy", taken=True, shared=True)
    ports = Ports(lambda _: [shared])
    assert ports.look([OWN], (), frozenset(), 0.0) == {":8080": "haproxy (pid 7)"}
    assert ports.problems([OWN], ()) == ()
    ports.joins.add(":8080")
    assert ports.look([OWN], (), frozenset(), 1.0) == {}
    assert ports.shared == {":8080": "haproxy (pid 7)"}
    ports.look([OWN], (), frozenset({":8080"}), 2.0)
    assert ports.shared == {}, "it is ours by now"


def test_at_the_start_a_frontend_is_not_left_out() -> None:
    """HAProxy's start then says who has its address, and is the end."""
    ports = Ports(lambda _: [HELD])
    front = Frontend("http", "http", (Bind(":8080"),), "routes.map")
    assert ports.look([], (front,), frozenset(), 0.0, starting=True) == {}


def test_a_section_of_the_operator_s_own_joins_with_all_others() -> None:
    """Only the line that would listen is left out: what uses the section finds it."""
    shared = BusyAddress(":8080", "haproxy (pid 7) listens there already", "", 7, "haproxy", taken=True, shared=True)
    lines = tuple(map(Line, ("bind :8080", "bind 127.0.0.1:9 name x", "stats enable")))
    raw = RawProcess(sections=(RawSection(Line("listen stats"), lines),))
    ports = Ports(lambda asked: [shared] if ":8080" in asked else [])
    ports.look([], (), frozenset(), 0.0, own=addresses(raw), starting=True)
    assert [line.text for line in ports.joined(raw).sections[0].lines] == ["bind 127.0.0.1:9 name x", "stats enable"]
    ports.joins.add(":8080")
    assert ports.joined(raw) is raw
