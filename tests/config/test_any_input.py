"""Whatever is written, loading gives a configuration or problems with places, never an exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from longshore.config import load
from longshore.config.environment import variable
from longshore.config.outline import settings

WORDS = sorted({part for setting in settings() for part in setting.path if part != "*"} | {"http", "east", "node"})
TEXTS = st.sampled_from(
    ["", ":80", "10.0.0.5:80", "10s", "docker", "file", "managed", "/x", "a.test", "x y", "\n", "{}"]
)
SCALARS = st.none() | st.booleans() | st.integers(-5, 70000) | st.floats() | TEXTS | st.text(max_size=5)
MAPPINGS = st.recursive(
    st.dictionaries(st.sampled_from(WORDS), SCALARS, max_size=4),
    lambda inner: st.dictionaries(
        st.sampled_from(WORDS) | st.text(max_size=4),
        inner | SCALARS | st.lists(inner | SCALARS, max_size=3),
        max_size=4,
    ),
    max_leaves=12,
)
VARIABLES = st.dictionaries(
    st.sampled_from(
        [variable(tuple("east" if part == "*" else part for part in setting.path)) for setting in settings()]
        + ["LONGSHORE_X", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"]
    ),
    st.sampled_from(["1", "x", ":80,:81", "true", "tcp://h:1", "docker", "/x", " ", "{}"]),
    max_size=4,
)


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(WORDS), MAPPINGS | SCALARS, max_size=5), VARIABLES)
def test_any_file_and_any_environment(tmp_path: Path, data: dict[str, Any], environ: dict[str, str]) -> None:
    file = tmp_path / "longshore.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    loaded = load(file, environ)
    assert (loaded.valid is None) == bool(loaded.problems)
    for problem in loaded.problems:
        assert "\n" not in str(problem)
        assert problem.place.line or problem.place.file == str(file) or problem.place.file in environ
        assert problem.what
