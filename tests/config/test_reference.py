"""The reference pages are made from the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from longshore.config.environment import PREFIX, variable
from longshore.config.outline import settings
from longshore.config.reference import NAMED, configuration, pages
from longshore.config.sources import SOURCES
from longshore.core.keys import KEYS
from tests.config.written import Written

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", pages())
def test_the_committed_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run script/generate-docs"


def test_the_example_of_the_page_is_valid(written: Written) -> None:
    example = re.search(r"```yaml\n(.*?)```", configuration(), re.DOTALL)
    assert example is not None
    assert written.problems(example[1]) == []


def test_every_setting_is_on_the_page_with_its_variable() -> None:
    page = configuration()
    for setting in settings():
        if setting.path[0] == "services" and setting.path[-1] in KEYS:
            continue
        stands_for = setting.path[setting.path.index("*") - 1] if "*" in setting.path else ""
        names = list(SOURCES) if stands_for == "sources" else [NAMED.get(stands_for, "")]
        variables = {variable(tuple(name if part == "*" else part for part in setting.path)) for name in names}
        assert any(f"`{name}`" in page for name in variables), setting.path
        assert all(name.startswith(PREFIX) for name in variables)
