"""What the forerunners could do is covered row by row."""

from __future__ import annotations

import pytest

from tests.docs.coverage import PAGE, made


@pytest.fixture(scope="module")
def coverage() -> tuple[str, list[str]]:
    return made()


def test_every_row_has_tests_and_every_such_test_a_row(coverage: tuple[str, list[str]]) -> None:
    assert coverage[1] == []


def test_the_page_is_what_the_tests_say(coverage: tuple[str, list[str]]) -> None:
    assert PAGE.read_text(encoding="utf-8") == coverage[0], "run: python -m tests.docs.coverage"
