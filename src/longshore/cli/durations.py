"""Durations as they are typed: "30", "30s", "500ms", "2m"."""

from __future__ import annotations

from longshore.cli.ending import USAGE, End
from longshore.core.values import RefusedError, duration, shown


def seconds(text: str) -> float:
    """Read a duration in seconds."""
    try:
        return duration(text)
    except RefusedError as error:
        said = str(error)
        what = said if said.startswith(shown(text)) else f"{shown(text)}: {said}"
        raise End(USAGE, what, "like 30s, 500ms or 2m") from None
