"""A forerunner's file, read piece by piece: each value as what it must be, each complaint at its place.

`Given` is one mapping of such a file. It never raises: what is wrong is collected, so that all of it is told at once.
`At` carries a value of our configuration together with the place it comes from; `settle` puts such values into a
`Document`, so that whoever validates it can name line and column of the forerunner's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.config.document import Document
from longshore.config.messages import look_up
from longshore.config.problems import ConfigProblem, Path, Place, dotted, suggestion
from longshore.core.values import shown

SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}  # as YAML 1.1 has them


@dataclass(frozen=True, slots=True)
class At:
    """A value of ours and where it comes from."""

    value: Any
    place: Place


def settle(document: Document, path: Path, said: Any, place: Place) -> Any:
    """Give plain data of values that carry places, and write the places into the document."""
    if isinstance(said, At):
        said, place = said.value, said.place
    document.keys[path] = document.values[path] = place
    if isinstance(said, dict):
        return {key: settle(document, (*path, key), value, place) for key, value in said.items()}
    if isinstance(said, list):
        return [settle(document, (*path, index), value, place) for index, value in enumerate(said)]
    return said


@dataclass(slots=True)
class Told:
    """What was found while something of a forerunner was read. `steps` is what it is about, in our terms."""

    steps: Path = ()
    problems: list[ConfigProblem] = field(default_factory=list)
    notes: list[ConfigProblem] = field(default_factory=list)

    def refuse(self, place: Place, what: str, hint: str = "") -> None:
        """Say what cannot be used, once."""
        if (problem := ConfigProblem(place, what, self.steps, hint)) not in self.problems:
            self.problems.append(problem)

    def note(self, place: Place, what: str, hint: str = "", steps: Path | None = None) -> None:
        """Say what means something else than it did; `steps` are below those that all this is about."""
        self.notes.append(ConfigProblem(place, what, self.steps if steps is None else (*self.steps, *steps), hint))


class Given:
    """One mapping of a forerunner's file. `name` is how it is called in complaints, "" for the whole."""

    def __init__(self, document: Document, path: Path, told: Told, name: str = "") -> None:
        found = look_up(document.data, path)
        self.data: dict[str, Any] = found if isinstance(found, dict) else {}
        self.document, self.path, self.told, self.name = document, path, told, name

    def __contains__(self, key: str) -> bool:
        return self.data.get(key) is not None

    def place(self, *steps: str | int, key: bool = False) -> Place:
        """Where a value was written, or its key."""
        return self.document.place((*self.path, *steps), key=key)

    def called(self, *steps: str | int) -> str:
        """A key as people find it: "discovery.servers[0].host"."""
        inner = dotted(steps)
        return f"{self.name}.{inner}" if self.name and inner else self.name or inner

    def refuse(self, key: str, what: str, hint: str = "") -> None:
        """Say what is wrong with a value, or that it is missing."""
        said = key in self.data
        place = self.place(key) if said else self.place(key=True)
        self.told.refuse(place, f"{self.called(key)} {what}" if key else f"{self.called()} {what}".strip(), hint)

    def note(self, key: str, what: str, hint: str = "", steps: Path | None = None) -> None:
        """Say that a key means something else than it did."""
        self.told.note(self.place(key, key=True), f"{self.called(key)}: {what}", hint, steps)

    def needs(self, *keys: str, hint: str = "") -> bool:
        """Whether all these are there; complains of those that are not."""
        missing = [key for key in keys if self.data.get(key) in (None, "", [], {})]
        for key in missing:
            self.refuse(key, "is empty" if key in self.data else "is missing", hint)
        return not missing

    def only(self, known: Iterable[str], hints: Mapping[str, str] | None = None) -> None:
        """Complain of keys that mean nothing here."""
        names = list(known)
        for key in self.data:
            if key not in names:
                hint = (hints or {}).get(key) or suggestion(key, [name.replace("_", "-") for name in names])
                place = self.place(key, key=True)
                self.told.refuse(place, f"{self.called(key)} is not a key that is known here", hint.replace("-", "_"))

    def text(self, key: str, default: str = "") -> str:
        """A text; numbers are taken as they were meant."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            return whole_characters(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        self.refuse(key, f"must be text, not {_kind(value)}")
        return default

    def whole(self, key: str, least: int = 0, most: int = 2**31) -> int | None:
        """A whole number; digits in quotes count."""
        value = self.data.get(key)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
            value = int(value)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.refuse(key, f"must be a whole number from {least} to {most}, not {_kind(value)}")
        return None

    def port(self, key: str) -> int | None:
        """A port."""
        return self.whole(key, 1, 65535)

    def number(self, key: str) -> float | None:
        """A number of seconds, or a share: not below 0."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return value
        self.refuse(key, f"must be a number from 0 on, not {_kind(value)}")
        return None

    def flag(self, key: str, default: bool = False) -> bool:
        """A switch."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in SWITCHES:
            return SWITCHES[value.lower()]
        if isinstance(value, bool):
            return value
        self.refuse(key, f"must be true or false, not {_kind(value)}")
        return default

    def one_of(self, key: str, *known: str) -> str:
        """One of a few words; "" if it is not said or wrong."""
        value = self.text(key)
        if value and value not in known:
            self.refuse(key, f"is {shown(value)}", suggestion(value, known) or f"known are: {', '.join(known)}")
            return ""
        return value

    def texts(self, key: str) -> list[At]:
        """Texts with their places; one alone counts as a list of one, empty ones are left out."""
        value = self.data.get(key)
        listed = value if isinstance(value, list) else [] if value is None else [value]
        found = []
        for index, one in enumerate(listed):
            place = self.place(key, index) if isinstance(value, list) else self.place(key)
            if isinstance(one, str) or (isinstance(one, (int, float)) and not isinstance(one, bool)):
                if str(one).strip():
                    found.append(At(whole_characters(str(one)), place))
            else:
                self.told.refuse(place, f"{self.called(key, index)} must be text, not {_kind(one)}")
        return found

    def inner(self, key: str) -> Given:
        """A mapping inside this one; an empty one where there is none."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, dict):
            self.refuse(key, f"must be a mapping, not {_kind(value)}")
        return Given(self.document, (*self.path, key), self.told, self.called(key))

    def inners(self, key: str, others: tuple[type, ...] = ()) -> list[Given]:
        """The mappings of a list, or of a mapping; `others` may stand beside them, and are left out."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, (list, dict)):
            self.refuse(key, f"must be a list, not {_kind(value)}")
        pairs = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
        found = []
        for step, one in pairs:
            if isinstance(one, dict):
                found.append(Given(self.document, (*self.path, key, step), self.told, self.called(key, step)))
            elif not isinstance(one, others):
                what = f"{self.called(key, step)} must be a mapping, not {_kind(one)}"
                self.told.refuse(self.place(key, step), what)
        return found


def whole_characters(text: str) -> str:
    r"""Put halves together that JSON writes apart: "\ud83d\ude00"."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def _kind(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return shown(value)
        case list():
            return "a list"
        case _:
            return "a mapping"
