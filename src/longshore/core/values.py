"""Reading one value of one key: text, switches, numbers, durations, lists, and the few words with rules of their own.

Every reader takes what a label (text) or YAML (text, number, switch, list) may hold and gives the parsed value, or
raises `RefusedError` with a sentence that completes "label longshore.weight: …". What comes out is safe by
construction: control characters and oversized text end here, every reader allows only the characters it knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from longshore.core.model import ZoneWeight

_T = TypeVar("_T")

LONGEST_TEXT = 4096  # characters of one value; the runtime socket takes lines up to 16 KiB
LONGEST_LIST = 16384
MOST_ITEMS = 64
LONGEST_DURATION = 24 * 86400.0  # HAProxy keeps times as 31 bits of milliseconds, a little under 25 days

_UNITS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(us|ms|s|m|h|d)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_CRYPT = re.compile(r"\$(?:1|5|6|2[aby]|y|gy|7|sha1)\$[A-Za-z0-9./$=]{20,200}", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_.@+-]{1,64}", re.ASCII)
YEAR = 365 * 86400


class RefusedError(ValueError):
    """A value that is not accepted: the message says what was expected, `hint` what to do next."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def shown(text: str, most: int = 60) -> str:
    """Quote `text` for a message: shortened, and with everything unprintable escaped."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return f'"{cut}"'


def words(parts: Sequence[str]) -> str:
    """Join names for a message: "a, b or c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " or " + parts[-1] if parts else ""


def text(raw: object, longest: int = LONGEST_TEXT) -> str:
    """Give the value as one line of printable text without surrounding blanks."""
    if raw is None:
        raise RefusedError("has no value")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return str(raw)
    if not isinstance(raw, str):
        raise RefusedError(
            "one value is expected here, not a list" if isinstance(raw, list | tuple) else "text is expected"
        )
    if len(raw) > longest:
        raise RefusedError(f"is {len(raw):,} characters long; at most {longest:,} are accepted")
    value = raw.strip(" \t")
    if not value:
        raise RefusedError("is empty", "give it a value, or remove it")
    for character in value:
        if not character.isprintable():
            raise RefusedError(f"contains the control character {shown(character)}", "write one line of plain text")
    return value


def items(raw: object) -> tuple[str, ...]:
    """Give the members of a comma list, or of a YAML list, as texts."""
    if isinstance(raw, list | tuple):
        found = [text(item) for item in raw]
    else:
        found = [part.strip() for part in text(raw, LONGEST_LIST).split(",")]
    if not found or not all(found):
        raise RefusedError("has an empty member", "write the members with one comma between them: a, b")
    if len(found) > MOST_ITEMS:
        raise RefusedError(f"has {len(found)} members; at most {MOST_ITEMS} are accepted")
    return tuple(found)


def listed(read: Callable[[object], _T]) -> Callable[[object], tuple[_T, ...]]:
    """Make a reader of comma lists from a reader of one member; repeated members count once."""
    return lambda raw: tuple(dict.fromkeys(read(item) for item in items(raw)))


def switch(raw: object) -> bool:
    """Read true/false, also spelled yes/no, on/off, 1/0."""
    word = text(raw).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise RefusedError(f"{shown(word)} is neither true nor false")


def whole(low: int, high: int) -> Callable[[object], int]:
    """Make a reader of whole numbers from `low` to `high`."""

    def read(raw: object) -> int:
        word = text(raw)
        if re.fullmatch(r"[0-9]{1,12}", word, re.ASCII) is None or not low <= int(word) <= high:
            raise RefusedError(f"{shown(word)} is not a whole number from {low:,} to {high:,}")
        return int(word)

    return read


def _seconds(raw: object, longest: float) -> float:
    if isinstance(raw, bool):
        raise RefusedError(f"{text(raw)} is not a duration", 'write "10s", "1m", "500ms" or a number of seconds')
    word = text(raw)
    if (match := _DURATION.fullmatch(word)) is None:
        raise RefusedError(f"{shown(word)} is not a duration", 'write "10s", "1m", "500ms" or a number of seconds')
    seconds = float(match[1]) * _UNITS[match[2] or ""]
    if not math.isfinite(seconds) or seconds > longest:
        raise RefusedError(f"{shown(word)} is too long; at most {longest / 86400:.0f}d are accepted")
    if 0 < seconds < 0.001:
        raise RefusedError(f"{shown(word)} is too short; at least 1ms is needed")
    return seconds


def duration(raw: object) -> float:
    """Read a duration ("10s", "1m", "500ms", "2h", 10) as seconds; 0 is allowed and means off."""
    return _seconds(raw, LONGEST_DURATION)


def period(raw: object) -> float:
    """Read a duration as seconds that must not be 0."""
    if (seconds := _seconds(raw, LONGEST_DURATION)) == 0:
        raise RefusedError("must be longer than 0", 'write "10s", "1m", "500ms" or a number of seconds')
    return seconds


def name(raw: object) -> str:
    """Read the name of a service or network: letters, digits, "_", ".", "-"."""
    word = text(raw)
    if _NAME.fullmatch(word) is None:
        raise RefusedError(
            f"{shown(word)} is not a name", 'use letters, digits, "_", "." and "-", at most 100, starting with no sign'
        )
    return word


def cookie(raw: object) -> str:
    """Read a cookie's name; true means a default name, false none."""
    word = text(raw)
    if word.lower() in _TRUE | _FALSE:
        return "longshore" if word.lower() in _TRUE else ""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", word, re.ASCII) is None:
        raise RefusedError(f"{shown(word)} is not a cookie name", 'use letters, digits, "_", "." and "-", at most 64')
    return word


def status(raw: object) -> str:
    """Read the HTTP status codes a check accepts: "200", "200-299", "200,204,301-302"."""
    ranges = []
    for item in items(raw):
        match = re.fullmatch(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?", item, re.ASCII)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise RefusedError(f"{shown(item)} is no HTTP status", 'write "200", "200-299" or "200,204,301"')
        ranges.append(f"{match[1]}-{match[2]}" if match[2] and match[2] != match[1] else match[1])
    return ",".join(ranges)


def method(raw: object) -> Literal["GET", "HEAD", "OPTIONS"]:
    """Read the method of an HTTP check."""
    match text(raw).upper():
        case "GET" | "HEAD" | "OPTIONS" as word:
            return word
        case word:
            raise RefusedError(f"{shown(word)} is not GET, HEAD or OPTIONS")


def expected_text(raw: object) -> str:
    """Read the text a check looks for in the body: one line, at most 256 characters; quotes are fine."""
    word = text(raw)
    if len(word) > 256:
        raise RefusedError(
            f"is {len(word)} characters long; at most 256 are accepted", "choose a shorter, telling part"
        )
    return word


def max_age(raw: object) -> int:
    """Read the max-age of HSTS as whole seconds; true means one year, false off."""
    if isinstance(raw, bool) or (isinstance(raw, str) and raw.strip().lower() in (_TRUE | _FALSE) - {"0", "1"}):
        return YEAR if switch(raw) else 0
    return int(_seconds(raw, 10.0 * YEAR))


def credentials(raw: object) -> str:
    """Read one "user:crypt hash". Messages never repeat the value: it may be somebody's password."""
    user, colon, secret = text(raw).partition(":")
    make = "make the hash with `htpasswd -nB USER` or `mkpasswd`; a Compose file spells each $ as $$"
    if not colon:
        raise RefusedError("a member is not of the form user:hash", make)
    if _USER.fullmatch(user) is None:
        raise RefusedError(
            f"{shown(user)} is not a user name", 'use letters, digits, "_", ".", "@", "+" and "-", at most 64'
        )
    if secret.startswith("$apr1$"):
        raise RefusedError(
            f"the hash of user {shown(user)} is Apache's own kind (apr1), which HAProxy cannot read", make
        )
    if secret.startswith("$$"):
        raise RefusedError(f"the hash of user {shown(user)} has doubled $ signs", "only a Compose file doubles them")
    if _CRYPT.fullmatch(secret) is None:
        raise RefusedError(f"what follows user {shown(user)} is not a password hash; plain passwords are refused", make)
    return f"{user}:{secret}"


def zone_weights(raw: object) -> tuple[ZoneWeight, ...]:
    """Read per cents by zone: "eu-1a=100, eu-1b=20"."""
    found: dict[str, int] = {}
    for item in items(raw):
        zone, sign, percent = (part.strip() for part in item.partition("="))
        if not sign:
            raise RefusedError(f"{shown(item)} says no weight", "write zone=percent: eu-1a=100, eu-1b=20")
        share = whole(0, 100)(percent.removesuffix("%").strip())
        if found.setdefault(name(zone), share) != share:
            raise RefusedError(f"zone {zone} has two weights", "keep one of them")
    return tuple(ZoneWeight(zone, percent) for zone, percent in sorted(found.items()))


def one_of(*allowed: str) -> Callable[[object], str]:
    """Make a reader of a few words; false means none of them."""

    def read(raw: object) -> str:
        word = text(raw).lower()
        if word in allowed:
            return word
        if word in _FALSE:
            return ""
        raise RefusedError(f"{shown(word)} is not {words(allowed)}")

    return read


def server_tls(raw: object) -> Literal["", "verify", "insecure"]:
    """Read how endpoints are spoken to: "verify" or true, "insecure" (any certificate), false."""
    word = text(raw).lower()
    if word in _TRUE or word == "verify":
        return "verify"
    if word in _FALSE:
        return ""
    if word == "insecure":
        return "insecure"
    raise RefusedError(f"{shown(word)} is not one of verify, insecure, false")
