"""Python's search for cycles of garbage: seldom, in a process that keeps many small values for long.

What a change leaves behind has no cycles and is freed at once. The search goes through everything that is kept: with
ten thousand endpoints that is longer than the change itself, and many times that while they are read.
"""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Search for cycles after some ten thousand new values, and through all of them a hundred times less often."""
    gc.set_threshold(50_000, 20, 100)
