"""How often an endpoint may come and go."""

from __future__ import annotations

from longshore.core.flapping import CALM, MOST, WINDOW, Flapping


def after(*times: float) -> Flapping:
    flapping = Flapping()
    for time in times:
        flapping = flapping.after(time)
    return flapping


def test_some_withdrawals_are_put_up_with() -> None:
    assert not after(*range(MOST)).out(MOST)


def test_one_too_many_keeps_it_out_until_it_was_calm() -> None:
    flapping = after(*range(MOST + 1))
    assert flapping.out(MOST)
    assert flapping.out(MOST + CALM - 0.1)
    assert not flapping.out(MOST + CALM)


def test_while_it_is_out_each_further_one_begins_the_calm_anew() -> None:
    flapping = after(*range(MOST + 1), MOST + 20.0)
    assert flapping.out(MOST + CALM)
    assert not flapping.out(MOST + 20.0 + CALM)


def test_withdrawals_long_ago_do_not_count() -> None:
    assert not after(*(index * WINDOW for index in range(20))).out(20 * WINDOW)


def test_what_is_remembered_ends() -> None:
    assert not after(0.0).idle(WINDOW - 1)
    assert after(0.0).idle(WINDOW)
    assert not after(*range(MOST + 1)).idle(MOST + 1)
    assert len(after(*(index / 100 for index in range(1000))).withdrawn) == MOST + 1
