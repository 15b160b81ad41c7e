"""What a name in DNS stands for while answers come, are missing, are cut short or shuffled."""

from __future__ import annotations

from longshore.core.held import SHUFFLES, Held, Record


def records(*numbers: int) -> list[Record]:
    return [Record(f"10.0.0.{number}", 80) for number in numbers]


def last(held: Held) -> list[int]:
    return [int(record.address.rpartition(".")[2]) for record in held.records]


def test_an_answer_counts_at_once() -> None:
    held = Held(30)
    held.found(records(2, 1), 0)
    assert last(held) == [1, 2]
    held.found(records(3), 1)
    assert last(held) == [3]


def test_the_same_answer_is_the_same_object() -> None:
    held = Held(30)
    held.found(records(1, 2), 0)
    before = held.records
    held.found(records(2, 1), 1)
    assert held.records is before


def test_a_name_that_is_gone_keeps_its_records_for_the_hold_time() -> None:
    held = Held(30)
    held.found(records(1), 0)
    held.nothing(10)
    assert (last(held), held.ends) == ([1], 40)
    held.nothing(39)
    assert last(held) == [1]
    held.nothing(40)
    assert (last(held), held.ends) == ([], None)


def test_a_name_that_comes_back_begins_anew() -> None:
    held = Held(30)
    held.found(records(1), 0)
    held.nothing(10)
    held.found(records(2), 20)
    held.nothing(45)
    assert (last(held), held.ends) == ([2], 75)


def test_what_was_served_before_a_restart_is_held_too() -> None:
    held = Held(30, tuple(records(1)))
    held.nothing(100)
    assert last(held) == [1]
    held.nothing(130)
    assert last(held) == []


def test_without_hold_a_name_is_empty_at_once() -> None:
    held = Held(0)
    held.found(records(1), 0)
    held.nothing(1)
    assert last(held) == []


def test_a_partial_answer_takes_nobody_out() -> None:
    held = Held(30)
    held.found(records(1, 2), 0)
    held.found(records(2, 3), 1, partial=True)
    assert last(held) == [1, 2, 3]


def test_parts_in_turn_are_recognised_and_kept_together() -> None:
    """Three of five in each answer: from the moment that it shows, nobody comes and goes with the answers."""
    held = Held(30)
    parts = [(1, 2, 3), (3, 4, 5), (5, 1, 2), (2, 3, 4), (4, 5, 1)]
    seen = []
    for number in range(20):
        held.found(records(*parts[number % 5]), number)
        seen.append(last(held))
    assert held.shuffled
    assert seen[SHUFFLES + 5 :] == [[1, 2, 3, 4, 5]] * (20 - SHUFFLES - 5)
    for number in range(20, 60):
        held.found(records(*parts[number % 2]), number)  # 1 to 5 still: both together
    assert last(held) == [1, 2, 3, 4, 5]
    for number in range(60, 100):
        held.found(records(1, 2, 3), number)
    assert last(held) == [1, 2, 3], "who is not seen for the hold time is gone"


def test_a_rolling_update_is_no_shuffle() -> None:
    """New addresses in place of old ones, all the time: none comes back."""
    held = Held(30)
    for number in range(20):
        held.found(records(number, number + 1, number + 2), number)
    assert not held.shuffled
    assert last(held) == [19, 20, 21]


def test_scaling_with_addresses_that_are_used_again_is_no_shuffle() -> None:
    held = Held(30)
    for number, count in enumerate([3, 5, 1, 3, 5, 1, 3, 5, 1, 3]):
        held.found(records(*range(count)), number)
    assert not held.shuffled
