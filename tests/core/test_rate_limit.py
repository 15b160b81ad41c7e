"""A limit on how often something may change: a bucket that is full at the start, and fills at a steady rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.rate_limit import Bucket, RateLimit


def allowed(limit: RateLimit, *moments: float) -> list[bool]:
    """Ask at each of these moments."""
    bucket = Bucket(limit.full, moments[0])
    found = []
    for moment in moments:
        taken = bucket.taken(limit, moment)
        found.append(taken is not None)
        bucket = taken or bucket
    return found


@pytest.mark.parametrize(
    ("limit", "moments", "expected"),
    [
        pytest.param(
            RateLimit(1, 2), (0, 0, 0, 1, 1), [True, True, False, True, False], id="A3 rate_limiting: max_burst"
        ),
        pytest.param(RateLimit(0.1), (0, 9, 10, 10), [True, False, True, False], id="A3 rate_limiting: average_rate"),
        pytest.param(
            RateLimit(0.5), (0, 100, 100), [True, True, True], id="A3 rate_limiting: max_burst infinite: it saves up"
        ),
        pytest.param(
            RateLimit(0, 2), (0, 0, 0, 10**9), [True, True, False, False], id="A3 rate_limiting: average_rate 0"
        ),
    ],
)
def test_what_is_allowed(limit: RateLimit, moments: tuple[float, ...], expected: list[bool]) -> None:
    assert allowed(limit, *moments) == expected


@given(
    st.floats(0.01, 100),
    st.floats(1, 100),
    st.lists(st.floats(0, 1000), min_size=1, max_size=60),
)
def test_never_more_than_the_rate_and_the_burst_allow(average: float, burst: float, moments: list[float]) -> None:
    moments.sort()
    limit = RateLimit(average, burst)
    passed = sum(allowed(limit, *moments))
    assert passed <= burst + average * (moments[-1] - moments[0]) + 1e-6


def test_the_wait_is_until_the_next_is_allowed() -> None:
    limit = RateLimit(0.1, 1)
    empty = Bucket(0.0, 50.0)
    assert empty.wait(limit, 50.0) == pytest.approx(10)
    assert empty.wait(limit, 55.0) == pytest.approx(5)
    assert empty.wait(limit, 61.0) == 0
    assert Bucket(0.0, 0.0).wait(RateLimit(0, 1), 10) == math.inf
