"""What differs is found by identity."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from longshore.core.differing import differing, exchanged
from longshore.core.model import Endpoint, Service

OBJECTS = [object() for _ in range(3)]
STATES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(OBJECTS))


@given(STATES, STATES)
def test_the_keys_of_other_objects_are_found(before: dict[str, object], after: dict[str, object]) -> None:
    assert differing(before, after) == {key for key in "abcd" if before.get(key) is not after.get(key)}
    assert differing(before, before) == set()


def test_services_that_were_exchanged_for_new_versions_are_found() -> None:
    one, two = Service("one"), Service("two")
    new = replace(two, endpoints=(Endpoint("a:80", "a", "10.0.0.1", 80),))
    assert exchanged((one, two), (one, new)) == [new]
    assert exchanged((one, two), (one, two)) == []
    assert exchanged((one, two), (one,)) is None
    assert exchanged((one, two), (one, Service("three"))) is None
