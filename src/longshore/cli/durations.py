"""Durations as they are typed: "30", "30s", "500ms", "2m"."""

from __future__ import annotations

from longshore.cli.ending import USAGE, End
from longshore.core.values import RefusedError, duration


def seconds(text: str) -> float:
    """Read a duration in seconds."""
    try:
        return duration(text)
    except RefusedError as error:
        raise End(USAGE, f"{text!r} is no duration: {error}", "like 30s, 500ms or 2m") from None
