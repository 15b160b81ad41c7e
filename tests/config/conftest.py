"""What all tests of the configuration share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.written import Written


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A configuration file that can be written and loaded."""
    return Written(tmp_path)
