"""When an endpoint is fit to be registered: Nerve's rise and fall, and how soon it is asked again."""

from __future__ import annotations

import pytest

from longshore.core.health import ALERT, CAP, EAGER, Health


def believed(results: str, rise: int, fall: int) -> str:
    """What is believed after each result: "+" is a success, or fit."""
    health, after = Health(rise, fall), ""
    for result in results:
        health = health.after(ok=result == "+")
        after += "+" if health.fit else "-"
    return after


@pytest.mark.parametrize(
    ("rise", "fall", "results", "fit"),
    [
        (1, 1, "+-+-", "+-+-"),
        (1, 2, "+-+--+", "++++-+"),  # one failure alone is forgiven
        (3, 2, "+", "+"),  # the first result counts at once, whatever rise says
        (3, 2, "-++-+++", "------+"),
        (2, 3, "+--+---++", "++++++--+"),
        (1, 1, "---", "---"),
    ],
)
def test_rise_and_fall(rise: int, fall: int, results: str, fit: str) -> None:
    assert believed(results, rise, fall) == fit


def test_nothing_is_known_before_the_first_result() -> None:
    assert Health().fit is None


def test_an_endpoint_that_starts_is_asked_in_a_hurry_until_it_answers() -> None:
    health, pauses = Health(), list[float]()
    for _ in range(EAGER):
        health = health.after(ok=False)
        pauses.append(health.pause(2.0))
    assert pauses[0] < 0.01
    assert pauses == sorted(pauses)
    assert pauses[-1] == CAP
    assert health.after(ok=False).pause(2.0) == 2.0
    assert health.after(ok=True).pause(2.0) == 2.0
    assert Health().after(ok=False).pause(2.0, dear=True) == ALERT
    assert Health().after(ok=False).pause(0.001) == 0.001


def test_once_it_was_fit_it_is_asked_at_its_interval_and_sooner_while_in_doubt() -> None:
    health = Health(2, 2).after(ok=True)
    assert health.pause(5.0) == 5.0
    health = health.after(ok=False)
    assert health.pause(5.0) == ALERT
    assert health.pause(0.5) == 0.5
    health = health.after(ok=False)
    assert health.fit is False
    assert health.pause(5.0) == 5.0
    assert health.after(ok=True).pause(5.0) == ALERT


def test_with_rise_the_hurry_lasts_until_it_is_fit() -> None:
    health = Health(2, 2).after(ok=False).after(ok=True)
    assert health.fit is False
    assert health.pause(5.0) < CAP
    assert health.after(ok=True).pause(5.0) == 5.0
