"""The one way of words into HAProxy's configuration and maps. Nothing else may put foreign text there.

HAProxy's configuration splits lines into words; quotes, backslashes, `#` and `$` are special (configuration manual,
section 2.2). Strong quotes ('…') switch all of that off, so a quoted word is always one word and never more than that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+=,*!?<>()\[\]{}|&^~-]+")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_PATH = re.compile(r"/[A-Za-z0-9_.:/@+=~-]*")
_KEY = re.compile(r"[!-~\x80-\U0010ffff]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST = 2000  # characters of one word; a configuration line holds 2,048 bytes
_FOREVER = 24 * 24 * 3600.0  # HAProxy counts milliseconds in 31 bits: about 24.8 days


def quote(text: str) -> str:
    """Return `text` as exactly one word of a configuration line.

    Raises ValueError for what no quoting can carry: control characters (a line end above all) and over-long text.
    """
    if _CONTROL.search(text):
        raise ValueError(f"{text[:60]!r} holds control characters, which HAProxy's configuration cannot carry")
    if len(text.encode()) > _LONGEST:
        raise ValueError(f"{text[:60]!r}… is longer than the {_LONGEST:,} bytes that one word may have")
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def word(text: str) -> str:
    """Return `text` unchanged if it may name a proxy, server, profile or map: [A-Za-z0-9_.:-]; else ValueError."""
    return _checked(_WORD.fullmatch, text, "may only hold letters, digits and _ . : -")


def path(text: str) -> str:
    """Return `text` unchanged if it is an absolute path that HAProxy can carry anywhere, else ValueError.

    Paths of ours appear inside sample expressions (`map(/path)`), where quotes do not help.
    """
    return _checked(_PATH.fullmatch, text, "must start with / and may only hold letters, digits and _ . : / @ + = ~ -")


def map_key(text: str) -> str:
    """Return `text` unchanged if it may be a key of a map file: no blanks, no control characters; else ValueError."""
    if _CONTROL.search(text) or not _KEY.fullmatch(text):
        raise ValueError(f"{text[:60]!r} cannot be a key of a map: blanks and control characters are not allowed")
    return text


def line(text: str) -> str:
    """Return `text` unchanged if it is one line; else ValueError. The last guard before the configuration."""
    if _CONTROL.search(text):
        raise ValueError(f"{text[:60]!r} holds control characters, which one line cannot carry")
    return text


def duration(seconds: float) -> str:
    """Return a duration as HAProxy reads it: "500ms", "10s". 0 and less mean "off" and become the longest it knows."""
    if seconds <= 0 or seconds > _FOREVER:
        return "24d"
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    return f"{max(1, round(seconds * 1000))}ms"


def digest(*parts: str) -> str:
    """Return 8 hex digits that stand for these texts, for names that follow from content."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _checked(accepts: Callable[[str], object], text: str, rule: str) -> str:
    if not accepts(text):
        raise ValueError(f"{text[:60]!r} {rule}")
    return text
