"""Whatever a configuration of Synapse says: reading it never raises, and every complaint has a place in the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.compat import synapse_process
from longshore.compat.synapse_discovery import METHODS
from longshore.compat.synapse_haproxy import KEYS as PROXY
from longshore.compat.synapse_service import KEYS as SERVICE
from tests.compat.synapse_written import DOCKER, EC2, ENSEMBLE, HAPROXY, MARATHON, NAMES, SERVERS, result

GOOD: list[dict[str, Any]] = [DOCKER, ENSEMBLE, NAMES, MARATHON, EC2]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "x", "80", "10.0.0.1", "a.test", "union", "/run/x", "bind :80", "mode tcp", "%{name}", "=", "a b"]
    ),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["host", "port", "label", "method", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)
names = sorted(
    {key for _, known in METHODS.values() for key in known} | {"method", "label_filters", "watchers", "resolver"}
)
discoveries = st.one_of(
    st.dictionaries(st.sampled_from(names), values, max_size=6).flatmap(
        lambda keys: st.sampled_from([*METHODS, "multi", "x"]).map(lambda method: keys | {"method": method})
    ),
    st.sampled_from(GOOD).flatmap(
        lambda good: st.dictionaries(st.sampled_from(sorted(good)), values, max_size=2).map(lambda keys: good | keys)
    ),
)
proxies = st.dictionaries(st.sampled_from(PROXY), values, max_size=5)
services = st.one_of(
    values,
    st.builds(
        lambda keys, discovery, proxy: {"default_servers": SERVERS} | keys | {"discovery": discovery, "haproxy": proxy},
        st.dictionaries(st.sampled_from(SERVICE), values, max_size=3),
        discoveries,
        proxies,
    ),
)
wholes = st.builds(
    lambda services, top: {"services": services, "haproxy": HAPROXY | top},
    st.dictionaries(st.sampled_from(["web", "db", "no name", "ä", ""]), services, max_size=3),
    st.dictionaries(st.sampled_from(synapse_process.KEYS), values, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(wholes)
def test_reading_never_raises(whole: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synapse.json"
        path.write_text(json.dumps(whole, indent=1))
        found = result(path)
        assert all(each.startswith(str(path)) for each in (*found.problems, *found.notes))
