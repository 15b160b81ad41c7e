"""registrator's command line, as Go's package flag reads it: -name, --name, -name=value, -name value.

Switches take a value only behind "=". Flags may stand behind the URI as well, where registrator itself did not read
them (gliderlabs/registrator#314).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from longshore.core.values import shown

Kind = Literal["text", "number", "switch"]
FLAGS: dict[str, Kind] = {
    "ip": "text",
    "internal": "switch",
    "explicit": "switch",
    "useIpFromLabel": "text",
    "tags": "text",
    "ttl": "number",
    "ttl-refresh": "number",
    "resync": "number",
    "cleanup": "switch",
    "deregister": "text",
    "retry-attempts": "number",
    "retry-interval": "number",
}
OURS = ("json", "log", "keep", "state-dir", "config", "admin", "origins", "snapshot")
_SWITCHES = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)
_SWITCHES |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)


@dataclass(slots=True)
class Arguments:
    """What was said: flags by their names, the URI, and what is wrong: which word, what, and what was meant."""

    flags: dict[str, str | int | bool] = field(default_factory=dict)
    uri: str = ""
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The value of a flag that is text, "" if it was not said."""
        return str(self.flags.get(name, ""))

    def number(self, name: str) -> int:
        """The value of a flag that is a number, 0 if it was not said."""
        return int(self.flags.get(name, 0))

    def switch(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self.flags.get(name, False))


def arguments_of(words: Sequence[str]) -> Arguments:
    """Take a command line apart. Never raises: see `faults`."""
    found, rest = Arguments(), iter(words)
    unknown = False  # whether the word before was a flag that nobody knows: this one may be its value
    for word in rest:
        if unknown and ":" not in word and not word.startswith("-"):
            unknown = False
        elif word == "--":
            for one in rest:
                _take_uri(found, one)
        elif word.startswith("-") and len(word) > 1:
            unknown = not _take_flag(found, word, rest) and "=" not in word
        else:
            _take_uri(found, word)
    if not found.uri and not found.faults:
        found.faults.append(("", "says no registry", "the last word is its URI: consul://localhost:8500"))
    return found


def _take_uri(found: Arguments, word: str) -> None:
    if word in _SWITCHES:
        what, hint = "is no registry", "a switch has its value behind =: -internal=true"
        found.faults.append((word, what, hint))
    elif found.uri:
        what = f"stands beside the registry {shown(found.uri)}"
        found.faults.append((shown(word)[1:-1], what, "one registrator has one registry"))
    else:
        found.uri = word


def _take_flag(found: Arguments, word: str, rest: Iterator[str]) -> bool:
    """Take in a flag, and its value; tell whether there is such a flag."""
    name, equals, value = word[1 + word.startswith("--") :].partition("=")
    flag, kind = f"-{shown(name)[1:-1]}", FLAGS.get(name)
    if kind is None:
        if name in OURS:
            hint = f"longshore's own options stand before --registrator: --{name} … --registrator … URI"
            found.faults.append((flag, "is no flag of registrator's", hint))
            return False
        close = get_close_matches(name.lower(), {each.lower(): each for each in FLAGS}, 1, 0.6)
        meant = next((each for each in FLAGS if close and each.lower() == close[0]), "")
        known = f"registrator's flags are {', '.join(f'-{each}' for each in FLAGS)}"
        found.faults.append((flag, "is no flag of registrator's", f"did you mean -{meant}?" if meant else known))
        return False
    if kind == "switch":
        read = _SWITCHES.get(value if equals else "true")
        if read is None:
            found.faults.append((flag, f"expected true or false, got {shown(value)}", f"{flag} alone turns it on"))
        else:
            found.flags[name] = read
    elif not equals and (value := next(rest, "")) == "":
        found.faults.append((flag, "needs a value", f"like {flag} {'30' if kind == 'number' else 'VALUE'}"))
    elif kind == "text":
        found.flags[name] = value
    elif re.fullmatch(r"[+-]?[0-9]{1,15}", value, re.ASCII):
        found.flags[name] = int(value)
    else:
        found.faults.append((flag, f"expected a number, got {shown(value)}", f"like {flag} 30; it has no unit"))
    return True
