"""Backends that stay while lines lead to them: only HAProxy says which, and they go when nobody needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from longshore.core.capabilities import TYPICAL
from longshore.core.kept_backends import SOURCES, KeptBackends, known_backends, without_kept
from longshore.core.model import Route, Service
from longshore.core.raw import Line, Raw, RawProcess, RawSection
from longshore.core.render import Paths, Process
from longshore.core.wanted import Wanted, Wanter, own_frontends
from tests.core.test_plan import started, wanted_of

PATHS, CAPS = Paths("/state"), TYPICAL[3, 4]
LEADS = Line("use_backend admin if x", "f:1")
NODE = Service("node", routes=(Route(listen=":8080"),), raw=Raw("node", frontend=(LEADS,), place="f:0"))
ADMIN = Service("admin", mode="tcp", raw=Raw("admin", mode="tcp"))
PROCESS = RawProcess()


@dataclass(frozen=True)
class Said:
    """HAProxy's words."""

    text: str
    source: str = ""
    section: str = ""
    fatal: bool = True


MISSED = Said("Proxy 'listen-8080': unable to find required use_backend: 'admin'.")


def wants(*services: Service) -> Wanted:
    wanted = wanted_of(Wanter(CAPS, PATHS), list(services))
    frontends = own_frontends(services, PATHS, {})
    return replace(wanted, process=Process(PATHS, raw=PROCESS), frontends=frontends)


def kept() -> KeptBackends:
    """One that keeps "admin"."""
    found = KeptBackends()
    assert found.refused([MISSED], {"admin": "tcp"}, wants(NODE), [NODE])
    return found


def test_what_ran_or_is_set_aside_can_stay() -> None:
    running = started(wants(NODE, ADMIN), CAPS)
    assert known_backends(running, [NODE], wants(NODE)) == {"admin": "tcp"}
    assert known_backends(None, [NODE, ADMIN], wants(NODE)) == {"admin": "tcp"}
    assert known_backends(running, [NODE, ADMIN], wants(NODE, ADMIN)) == {}


def test_it_stays_empty_and_the_line_that_leads_there_is_said() -> None:
    backends = kept()
    node, stays = backends.admit((NODE,), PROCESS)
    assert (node, stays.name, stays.mode, stays.endpoints, stays.sources) == (NODE, "admin", "tcp", (), SOURCES)
    assert stays.raw == Raw("admin", routed=False, mode="tcp")
    assert without_kept([node, stays]) == [NODE]
    (problem,) = backends.problems
    assert (problem.where, problem.service) == ("f:1", "node")
    assert backends.admit((NODE,), PROCESS)[1] is stays, "what did not change is the same object"


def test_it_goes_when_somebody_declares_it_or_nobody_leads_there() -> None:
    section = RawProcess(sections=(RawSection(Line("backend admin")),))
    elsewhere = replace(NODE, raw=Raw("node"))
    for services, process in (((NODE, ADMIN), PROCESS), ((NODE,), section), ((elsewhere,), PROCESS)):
        backends = kept()
        assert backends.admit(services, process) == services
        assert backends.problems == ()
    leads = RawProcess(sections=(RawSection(Line("listen old"), (Line("default_backend admin"),)),))
    assert len(kept().admit((elsewhere,), leads)) == 2, "sections lead there as well"


def test_a_service_of_its_name_that_declares_nothing_is_another() -> None:
    plain = Service("admin")
    assert [service.name for service in kept().admit((NODE, plain), PROCESS)] == ["node", "admin", "admin.kept"]


def test_what_nobody_ever_declared_is_a_mistake_of_who_names_it() -> None:
    backends = KeptBackends()
    assert not backends.refused([MISSED], {"other": "http"}, wants(NODE), [NODE])
    assert not backends.refused([replace(MISSED, fatal=False)], {"admin": "http"}, wants(NODE), [NODE])
    assert backends.admit((NODE,), PROCESS) == (NODE,)


def test_one_that_haproxy_does_not_want_either_is_not_tried_for_ever() -> None:
    backends = kept()
    wrong = Said("no", "mode tcp", "backend admin from p-1")
    assert backends.refused([wrong], {}, wants(NODE), [NODE])
    assert backends.admit((NODE,), PROCESS) == (NODE,)
    assert not backends.refused([MISSED], {"admin": "tcp"}, wants(NODE), [NODE])
    backends.judge_again()
    assert backends.refused([MISSED], {"admin": "tcp"}, wants(NODE), [NODE])
