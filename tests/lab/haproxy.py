"""The supported HAProxy versions in tests: mark a test with `every_version` or `oldest_and_newest`, take `series`.

`haproxy("3.0")` is the path of that version's binary. (What needs no pytest is in `binaries`.)
"""

from __future__ import annotations

import pytest

from tests.lab.binaries import SERIES, SUITES, haproxy, version

__all__ = ["SERIES", "SUITES", "every_version", "haproxy", "oldest_and_newest", "version"]

every_version = pytest.mark.parametrize("series", SERIES)
oldest_and_newest = pytest.mark.parametrize("series", [SERIES[0], SERIES[-1]])
