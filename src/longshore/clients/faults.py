"""Failures of the world outside, in words for people.

Every client raises a `Fault` of its own kind and nothing else: what happened, and what to do next. Foreign exceptions
are translated in one place per protocol (`http_faults` for all that speak HTTP), so that nobody above has to know
aiohttp, ssl or errno.
"""

from __future__ import annotations


class Fault(Exception):  # noqa: N818  a fault is what a person reads about; "Error" would add nothing
    """Something outside does not work. `what` says what happened and where, `hint` what to do next."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class TlsFault(Fault):
    """Certificates or keys that cannot be used."""


def first_line(text: str | bytes, limit: int = 200) -> str:
    """Give the first line of what somebody else said, short and printable, to be quoted in a fault."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    lines = text.strip().splitlines()
    line = "".join(c if c.isprintable() else " " for c in lines[0]) if lines else ""
    return line if len(line) <= limit else line[: limit - 1] + "…"
