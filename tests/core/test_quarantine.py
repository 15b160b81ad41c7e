"""Quarantine: one service that HAProxy refuses never keeps another one out."""

from dataclasses import replace

import pytest

from longshore.core.model import Endpoint, Policy, Service
from longshore.core.quarantine import Quarantine
from longshore.core.raw import Line, Raw, RawProcess, RawSection

GOOD = Service("good")
BAD = Service("bad", policy=Policy(balance="leastconn"))
OTHER = Service("other", policy=Policy(hold=3.0))


def play(quarantine: Quarantine, services: list[Service], refuse: set[Service]) -> tuple[Service, ...]:
    """Give services to a HAProxy that refuses some, until there is nothing more to try; what it runs at the end."""
    for _ in range(20):
        given = quarantine.admit(tuple(services))
        if set(given) & refuse:
            assert quarantine.refused([s for s in given if s is not GOOD], "line 7: no")
        elif not quarantine.taken(given):
            return given
    raise AssertionError("it never ends")


def test_only_the_refused_service_stays_aside() -> None:
    quarantine = Quarantine()
    assert set(play(quarantine, [GOOD, BAD, OTHER], {BAD})) == {GOOD, OTHER}
    assert [p.service for p in quarantine.problems] == ["bad"]
    assert "line 7: no" in quarantine.problems[0].what


def test_a_refused_version_leaves_the_last_good_one_in_place() -> None:
    quarantine = Quarantine()
    old = Service("bad")
    play(quarantine, [GOOD, old], set())
    assert set(play(quarantine, [GOOD, BAD], {BAD})) == {GOOD, old}


def test_the_last_good_version_has_the_endpoints_of_now() -> None:
    """Endpoints are never kept: an address that its owner left may be anybody's a second later."""
    quarantine = Quarantine()
    old, new = (Endpoint(f"{name}:80", name, address, 80) for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2")))
    play(quarantine, [Service("bad", endpoints=(old,))], set())
    bad = replace(BAD, endpoints=(old, new))
    assert play(quarantine, [bad], {bad}) == (Service("bad", endpoints=(old, new)),)
    given = quarantine.admit((replace(BAD, endpoints=(new,)),))
    assert given == (Service("bad", endpoints=(new,)),)
    again = quarantine.admit((replace(BAD, endpoints=given[0].endpoints),))
    assert again[0] is given[0], "what did not change is the same object"


def test_a_changed_service_is_tried_again_but_new_endpoints_alone_are_no_change() -> None:
    quarantine = Quarantine()
    play(quarantine, [GOOD, BAD], {BAD})
    scaled = Service("bad", policy=BAD.policy, endpoints=(Endpoint("a:80", "a", "10.0.0.1", 80),))
    assert set(quarantine.admit((GOOD, scaled))) == {GOOD}
    mended = Service("bad", policy=Policy(balance="first"))
    assert set(play(quarantine, [GOOD, mended], set())) == {GOOD, mended}
    assert quarantine.problems == ()


def test_a_service_that_is_gone_is_forgotten() -> None:
    quarantine = Quarantine()
    play(quarantine, [GOOD, BAD], {BAD})
    quarantine.admit((GOOD,))
    assert quarantine.problems == ()


def test_a_service_that_is_not_given_because_it_stays_aside_is_not_gone() -> None:
    quarantine = Quarantine()
    play(quarantine, [GOOD, BAD], {BAD})
    quarantine.forget({"bad"})
    assert quarantine.admit((GOOD, BAD)) == (GOOD,)


NODE = Service("node", raw=Raw("node", frontend=(Line("use_backend admin if x"),)))
ADMIN = Service("admin", raw=Raw("admin"))
PROCESS = RawProcess()


@pytest.mark.parametrize(
    ("services", "process"),
    [
        ((NODE, ADMIN), PROCESS),
        ((NODE,), RawProcess(sections=(RawSection(Line("backend admin")),))),
        ((NODE,), RawProcess(globals=(Line("tune.maxaccept 10"),))),
    ],
    ids=["service", "section", "global"],
)
def test_a_refused_service_is_judged_again_when_what_it_may_name_has_changed(
    services: tuple[Service, ...], process: RawProcess
) -> None:
    quarantine = Quarantine()
    quarantine.admit((NODE,), PROCESS)
    assert quarantine.refused([NODE], "no admin")
    assert quarantine.admit((NODE,), PROCESS) == ()
    assert quarantine.unserved == {"node"}
    assert quarantine.admit((NODE, GOOD), PROCESS) == (GOOD,), "nobody can name a service without lines of its own"
    assert quarantine.admit(services, process) == services
    assert (quarantine.problems, quarantine.unserved) == ((), frozenset())
    assert quarantine.refused([NODE], "still no admin")
    assert NODE not in quarantine.admit(services, process), "and it is set aside again"


def test_whoever_says_so_has_all_judged_again() -> None:
    """A service goes on as it was meanwhile: HAProxy refuses the whole."""
    quarantine = Quarantine()
    old = Service("bad")
    play(quarantine, [GOOD, old], set())
    play(quarantine, [GOOD, BAD], {BAD})
    assert quarantine.unserved == frozenset(), "its last version is served"
    quarantine.judge_again()
    assert quarantine.admit((GOOD, BAD)) == (GOOD, BAD)
    assert set(play(quarantine, [GOOD, BAD], {BAD})) == {GOOD, old}
