"""Clocks: how far another host's is from ours, by the Date that its HTTP answers carry (whole seconds, RFC 9110)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from longshore.agent.doctor.finding import Finding

MOST_DIFFERENCE = 3.0
"""Seconds that nobody needs to know about."""


def moment(date: str) -> float:
    """Read a Date header as Unix seconds; 0.0 if it says nothing of use."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return 0.0


def difference(theirs: float, asked: float, answered: float) -> float:
    """Give how far their clock is ahead of ours, in seconds (behind: less than 0); 0.0 where nobody can tell.

    They looked at it between our question and our answer, and cut off the fraction.
    """
    if not theirs:
        return 0.0
    if theirs > answered:
        return theirs - answered
    return min(0.0, theirs + 1.0 - asked)


def clock_of(where: str, apart: float) -> list[Finding]:
    """Say that a clock is wrong, theirs or ours."""
    if abs(apart) <= MOST_DIFFERENCE:
        return []
    side = "ahead of" if apart > 0 else "behind"
    what = f"its clock is {abs(apart):.0f} s {side} this host's"
    return [Finding(where, what, "let both hosts follow an NTP server")]
