"""Layouts of registries with whatever anybody may write: an entry, a problem in words, or nothing. Never a crash."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from longshore.core.entries import Broken, Entry, Setting
from longshore.core.layouts import LAYOUTS
from tests.core.test_registry_layouts import ENCODED, PREFIX

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["host", "port", "name", "weight", "labels", "tags", "since", "serviceEndpoint", "status", "IP", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
ANY_VALUE = st.binary(max_size=60) | JSON.map(lambda found: json.dumps(found).encode())
ANY_KEY = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["web/a", "web/port", "web/services/a_0000000001", "web/member_0000000001", f"web/base64_5_{ENCODED}_1", "a/b/c/d"]
)


@given(st.sampled_from(sorted(LAYOUTS)), ANY_KEY, ANY_VALUE)
def test_any_bytes_give_an_entry_a_problem_or_nothing(layout: str, key: str, value: bytes) -> None:
    found = LAYOUTS[layout].read(PREFIX, f"{PREFIX}/{key}", value)
    assert found is None or isinstance(found, Entry | Setting | Broken)
    if isinstance(found, Entry):
        assert 1 <= found.port <= 65535
        assert found.host
        json.dumps(found.labels, ensure_ascii=False).encode()


NAMES = st.text("abc-.:0189", min_size=1, max_size=12).filter(lambda name: name.strip("."))
ENTRIES = st.builds(
    Entry,
    service=NAMES,
    id=NAMES,
    host=st.sampled_from(["10.0.0.5", "fd00::5", "vm1.internal"]),
    port=st.integers(1, 65535),
    name=st.text(max_size=10),
    weight=st.none() | st.integers(0, 256),
    labels=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4).map(
        lambda labels: tuple(sorted(labels.items()))
    ),
    tags=st.lists(st.text(max_size=8), max_size=3).map(tuple),
    zone=st.text(max_size=8),
    owner=st.text(max_size=8),
    machine=st.text(max_size=8),
    server_options=st.text(max_size=8),
    since=st.just(0.0) | st.floats(1, 2e9),
)


@given(ENTRIES)
def test_the_native_layout_keeps_everything(entry: Entry) -> None:
    write = LAYOUTS["native"].write
    assert write is not None
    key, value = write(PREFIX, entry)
    assert LAYOUTS["native"].read(PREFIX, key, value) == entry
    assert LAYOUTS["native"].read(PREFIX, f"{key}_0000000012", value) == entry, "as a sequential node of ZooKeeper"
