"""Which endpoints are to stand in the registries: by all their checks, by their rate limit, each in its registries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.agent.register_book import Book, Wish
from longshore.agent.register_watching import Belief, Part
from longshore.core.entries import Entry
from longshore.core.flapping import MOST
from longshore.core.health import Health
from longshore.core.model import EndpointState
from longshore.core.rate_limit import RateLimit
from longshore.core.register_check import RegisterCheck
from longshore.core.registration import LocalCheck, Registration

TCP, HEALTH = (
    LocalCheck(RegisterCheck("tcp"), "10.0.0.5", 80),
    LocalCheck(RegisterCheck("http", "/health"), "10.0.0.5", 81),
)
ONE = Registration(Entry("web", "one", "10.0.0.5", 80), TCP)


def belief(*fits: bool | None, checks: tuple[LocalCheck, ...] = (TCP, HEALTH)) -> Belief:
    """What the checks say."""
    return Belief(tuple(Part(check, Health(fit=fit)) for check, fit in zip(checks, fits, strict=False)), 0.0)


class Looked:
    """A book of one endpoint, looked at again and again."""

    def __init__(self, limit: RateLimit | None) -> None:
        self.book = Book()
        self.one = replace(ONE, limit=limit)

    def at(self, now: float, fit: bool) -> bool:
        """Whether it is to stand there after this look."""
        self.book.look({self.one.key: self.one}, lambda _: belief(fit, checks=(TCP,)), now)
        return bool(self.book.wanted)


@pytest.mark.parametrize(
    ("fits", "expected"),
    [
        ((True, True), True),
        ((True, False), False),
        ((False, True), False),
        ((None, True), None),
        ((None, False), False),
    ],
    ids=[
        "A3 checks: all pass",
        "A3 checks: one fails",
        "A3 checks: another fails",
        "one is under way",
        "one failed already",
    ],
)
def test_it_is_fit_while_all_its_checks_pass(fits: tuple[bool | None, ...], expected: bool | None) -> None:
    assert belief(*fits).fit is expected


def test_of_several_checks_those_that_fail_are_told() -> None:
    book = Book()
    two = replace(ONE, more=(HEALTH,))
    book.look({two.key: two}, lambda _: belief(True, False), 0.0)
    (standing,) = book.standings.values()
    assert (standing.check, standing.why, standing.told) == (
        "/health: failed",
        "its check fails",
        "its check fails, /health: failed",
    )
    book.look({two.key: two}, lambda _: belief(True, True), 1.0)
    assert [each.check for each in book.standings.values()] == ["tcp: ok; /health: ok"]
    assert (ONE.asked, two.asked) == ("tcp", "tcp, /health")


@pytest.mark.parametrize("limit", [pytest.param(RateLimit(0.1, 2), id="A3 rate_limiting: shadow_mode false")])
def test_a_limit_holds_changes_back_in_both_directions(limit: RateLimit) -> None:
    looked = Looked(limit)
    assert looked.at(0, fit=True)
    assert not looked.at(1, fit=False)
    assert not looked.at(2, fit=True), "the bucket is empty: it stays out, though it is fit"
    (standing,) = looked.book.standings.values()
    assert standing.why == "its rate limit is used up"
    assert looked.book.next_look(2) == pytest.approx(8)
    assert looked.at(10, fit=True)
    assert looked.at(11, fit=False), "it stays in, though it is not fit"
    assert looked.at(12, fit=True)
    assert looked.book.next_look(12) is None
    assert not looked.book.shadowed


@pytest.mark.parametrize(
    "limit", [pytest.param(RateLimit(0.1, 1, shadow=True), id="A3 rate_limiting: shadow_mode true")]
)
def test_a_shadow_of_a_limit_only_tells(limit: RateLimit) -> None:
    looked = Looked(limit)
    assert [looked.at(now, fit=now % 2 == 0) for now in range(4)] == [True, False, True, False]
    assert looked.book.shadowed == ["web/one"] * 3


def test_what_stops_goes_whatever_its_limit_says() -> None:
    looked = Looked(RateLimit(0, 1))
    assert looked.at(0, fit=True)
    looked.one = replace(looked.one, state=EndpointState.STOPPING, reason="its stop signal was sent")
    assert not looked.at(1, fit=True)


@pytest.mark.parametrize(
    ("limit", "out"), [(None, True), (RateLimit(1000), False), (RateLimit(1000, shadow=True), True)]
)
def test_who_has_a_limit_is_not_kept_out_for_coming_and_going(limit: RateLimit | None, out: bool) -> None:
    looked = Looked(limit)
    for number in range(2 * MOST + 4):
        looked.at(number / 10, fit=number % 2 == 0)
    looked.at(2, fit=True)
    assert bool(looked.book.problems()) is out


def test_each_entry_is_wanted_in_its_registries() -> None:
    book = Book()
    every, some, none = (
        replace(ONE, entry=replace(ONE.entry, id=name), registries=where)
        for name, where in (("every", None), ("some", ("b",)), ("none", ()))
    )
    book.look({each.key: each for each in (every, some, none)}, lambda _: belief(True, checks=(TCP,)), 0.0)
    assert set(book.wish.of("a")) == {"web/every"}
    assert set(book.wish.of("b")) == {"web/every", "web/some"}
    assert Wish({}).of("a") == {}
