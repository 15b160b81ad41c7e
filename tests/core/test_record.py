"""Records: a layout written to disk is read back equal; anything else is refused."""

import json

import pytest

from longshore.core.arrange import layout
from longshore.core.capabilities import TYPICAL
from longshore.core.model import Policy
from longshore.core.record import dump, load
from longshore.core.wanted import Wanter
from tests.core.test_plan import PATHS, service, wanted_of


def test_a_layout_survives_the_disk() -> None:
    caps = TYPICAL[2, 6]
    policy = Policy(hold=3.0, auth=("joe:$5$salt$hash",))
    made, placed = layout(wanted_of(Wanter(caps, PATHS), [service("web", "a", policy=policy)]), None, caps, (), 2)
    assert load(1, json.loads(json.dumps(dump(1, made, placed)))) == (made, placed)


@pytest.mark.parametrize("value", [{}, {"version": 2}, {"version": 1, "layout": {}, "placed": {}}, {"version": 1}])
def test_a_foreign_record_is_refused(value: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        load(1, value)
