"""Which signal means the end of a container."""

from __future__ import annotations

import pytest

from longshore.core.signals import ends, number


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("SIGTERM", 15),
        ("TERM", 15),
        ("term", 15),
        ("15", 15),
        ("SIGQUIT", 3),
        ("3", 3),
        (" SIGUSR1 ", 10),
        ("SIGWINCH", 28),
        ("RTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("37", 37),
        ("64", 64),
        ("", 0),
        ("0", 0),
        ("65", 0),
        ("-9", 0),
        ("SIGNOTHING", 0),
        ("RTMIN+31", 0),
        ("RTMIN+x", 0),
        ("³", 0),
        ("9" * 5000, 0),
    ],
)
def test_a_signal_has_one_number_however_it_is_spelled(spelled: str, meant: int) -> None:
    assert number(spelled) == meant


@pytest.mark.parametrize(
    ("signal", "stop_signal", "end"),
    [
        (15, "SIGTERM", True),
        (9, "SIGTERM", True),
        (1, "SIGTERM", False),
        (3, "QUIT", True),
        (15, "QUIT", False),
        (37, "RTMIN+3", True),
        (15, "", True),
        (15, "nonsense", True),
        (0, "nonsense", False),
        (0, "", False),
    ],
)
def test_the_own_stop_signal_and_kill_end_a_container(signal: int, stop_signal: str, end: bool) -> None:
    assert ends(signal, stop_signal) is end
