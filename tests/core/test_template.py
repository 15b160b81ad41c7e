"""Backends whose servers HAProxy finds itself: changed by a reload only, and left alone between reloads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.agent.encoding import decode, encode
from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.drift import Observed, ObservedServer, correct, differences
from longshore.core.model import Endpoint, Policy, Resolvers, Service, Template
from longshore.core.overrides import Overrides
from longshore.core.plan import cleanup, plan
from longshore.core.render import Layout, render
from longshore.core.running import Running
from longshore.core.template import owns, section, slots_of
from longshore.core.wanted import Wanted, Wanter
from tests.core.layouts import LAYOUTS
from tests.core.test_plan import PATHS, apply, service, started, wanted_of

every_kind = pytest.mark.parametrize("caps", [TYPICAL[2, 6], TYPICAL[3, 4]], ids=str)
TEMPLATE = Template("tasks.web", 8000, 3, resolvers=Resolvers(("127.0.0.11:53",)))
WEB = service("web", template=TEMPLATE)
OTHER = service("other", "a")


def home(running: Running) -> str:
    (name,) = running.homes["web"]
    return name


def seen(running: Running) -> Observed:
    """What HAProxy reports: our servers, and three slots of which one is resolved."""
    servers = {
        name: {s.server.name: ObservedServer(s.server.name, s.server.address, 80, s.admin, s.weight, True)}
        for name, backend in running.backends.items()
        for s in backend.servers.values()
    }
    slots = [ObservedServer(f"slot-{n}", "10.0.0.1" if n == 1 else "-", 8000, "maint", 100, False) for n in (1, 2, 3)]
    slots[0] = replace(slots[0], admin="ready", up=True)
    found: dict[str, dict[str, ObservedServer]] = {name: {} for name in running.backends} | servers
    found[home(running)] |= {slot.name: slot for slot in slots}
    return Observed(found, running.maps)


def wanted(caps: Capabilities, *services: Service) -> Wanted:
    return wanted_of(Wanter(caps, PATHS), list(services))


@every_kind
def test_a_new_one_costs_a_reload_with_its_reason(caps: Capabilities) -> None:
    running = started(wanted(caps, OTHER), caps)
    todo = plan(running, wanted(caps, OTHER, WEB), caps)
    assert todo.reload == ("service web: HAProxy looks for its endpoints itself",)
    running = apply(running, wanted(caps, OTHER, WEB), caps)
    assert home(running).startswith("s:web:"), "never in a slot that waits for services"
    assert not plan(running, wanted(caps, OTHER, WEB), caps)


@every_kind
def test_more_room_costs_a_reload_in_the_same_backend(caps: Capabilities) -> None:
    """The same backend and the same servers: HAProxy hands their addresses to the new worker by these names."""
    running = started(wanted(caps, OTHER, WEB), caps)
    before = home(running)
    more = wanted(caps, OTHER, replace(WEB, template=replace(TEMPLATE, slots=5)))
    todo = plan(running, more, caps)
    assert (todo.steps, len(todo.reload)) == ((), 1)
    assert "with more room" in todo.reload[0]
    running = apply(running, more, caps)
    assert home(running) == before


@every_kind
def test_it_becomes_a_service_with_endpoints_of_ours_and_back(caps: Capabilities) -> None:
    running = started(wanted(caps, OTHER, WEB), caps)
    ours = wanted(caps, OTHER, service("web", "b"))
    assert plan(running, ours, caps).reload == ("service web: HAProxy no longer looks for its endpoints itself",)
    running = apply(running, ours, caps)
    assert running.backends[home(running)].slots is None
    assert len(running.backends[home(running)].servers) == 1
    running = apply(running, wanted(caps, OTHER, WEB), caps)
    assert running.backends[home(running)].slots is not None
    assert not home(running).startswith("slot:")


@every_kind
def test_haproxy_goes_on_looking_until_an_endpoint_of_ours_may_serve(caps: Capabilities) -> None:
    """Else the reload would leave nobody to serve, while the first check is under way."""
    wanter = Wanter(caps, PATHS)
    running = started(wanted_of(wanter, [WEB]), caps)
    ours = service("web", "b", "c")
    waiting = {"web": wanter.backend(ours, Overrides(), lambda *_: False)}
    assert not plan(running, replace(wanted(caps, WEB), backends=waiting), caps)
    ready = {"web": wanter.backend(ours, Overrides(), lambda *_: True)}
    assert plan(running, replace(wanted(caps, WEB), backends=ready), caps).reload
    gone = {"web": wanter.backend(service("web"), Overrides(), lambda *_: True)}
    assert plan(running, replace(wanted(caps, WEB), backends=gone), caps).reload, "nobody is to serve"


@every_kind
def test_what_haproxy_finds_is_no_drift_and_nobody_else_s_business(caps: Capabilities) -> None:
    running = started(wanted(caps, OTHER, WEB), caps)
    observed = seen(running)
    assert differences(running, observed) == ()
    correct(running, observed)
    assert running.backends[home(running)].servers == {}
    assert not plan(running, wanted(caps, OTHER, WEB), caps)
    assert cleanup(running, wanted(caps, OTHER)) == ()


@every_kind
def test_endpoints_of_other_sources_come_and_go_beside_them(caps: Capabilities) -> None:
    running = started(wanted(caps, WEB), caps)
    both = wanted(caps, service("web", "a", template=TEMPLATE))
    todo = plan(running, both, caps)
    assert todo.reload == ()
    running = apply(running, both, caps)
    assert len(running.backends[home(running)].servers) == 1


def test_the_profile_of_sticky_ones_has_cookies_that_haproxy_makes() -> None:
    sticky = replace(WEB, policy=Policy(sticky="route"))
    lines = wanted(TYPICAL[3, 4], sticky).backends["web"].profile.lines
    assert "cookie route insert indirect nocache httponly dynamic" in lines
    plain = wanted(TYPICAL[3, 4], replace(sticky, template=None)).backends["web"].profile.lines
    assert "cookie route insert indirect nocache httponly" in plain


def test_the_line_says_all() -> None:
    slots = slots_of(WEB, TYPICAL[2, 6])
    assert slots
    assert slots.line.startswith("server-template slot- 3 tasks.web:8000 check inter 10s fastinter 1s")
    assert slots.line.endswith("resolve-prefer ipv4 init-addr last,none weight 100")
    srv = slots_of(replace(WEB, template=replace(TEMPLATE, port=0, name="_web._tcp.test")), TYPICAL[2, 6])
    assert srv
    assert srv.line.startswith("server-template slot- 3 _web._tcp.test resolve-opts allow-dup-ip check")


def test_only_a_name_that_does_not_exist_takes_servers_out() -> None:
    lines = [line.strip() for line in section(Resolvers(hold=7))]
    assert "parse-resolv-conf" in lines
    assert "accepted_payload_size 8192" in lines
    assert "hold nx 7s" in lines
    assert {"hold timeout 24d", "hold refused 24d", "hold other 24d"} <= set(lines)


def test_resolvers_that_are_alike_share_a_section() -> None:
    caps = TYPICAL[3, 4]
    text = render(LAYOUTS["resolved"](caps, PATHS), caps)
    assert text.count("\nresolvers r-") == 2


@pytest.mark.parametrize("name", ["a b", "x\nserver y", "a;b", "'"])
def test_names_that_haproxy_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="may only hold"):
        slots_of(replace(WEB, template=replace(TEMPLATE, name=name)), TYPICAL[2, 6])


def test_it_survives_on_disk() -> None:
    assert decode(Service, encode(WEB)) == WEB
    made = LAYOUTS["resolved"](TYPICAL[2, 6], PATHS)
    made = replace(made, backends=tuple(replace(backend, servers=()) for backend in made.backends))
    assert decode(Layout, encode(made)) == made


def test_which_names_are_slots() -> None:
    assert owns("slot-12")
    assert not any(map(owns, ("slot-", "slot-1.1f0c9ab2", "hold", "web.1f0c9ab2")))


def test_an_endpoint_is_never_called_like_a_slot() -> None:
    endpoint = Endpoint("10.0.0.1:80", "slot-1", "10.0.0.1", 80)
    (server,) = Wanter(TYPICAL[2, 6], PATHS).servers(replace(WEB, endpoints=(endpoint,))).values()
    assert not owns(server.name)
