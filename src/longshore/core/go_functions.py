"""The functions of registrator's templates for tags, by their names there (registrator's bridge/bridge.go, newService).

Each with the least and the greatest number of its arguments. What asks others over the network is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Value = str | int | list[str] | dict[str, str]


def _slice(text: str, start: int = 0, end: int | None = None) -> str:
    if end is not None and len(text) >= start and len(text) >= end:
        return text[start:] if end < start else text[start:end]
    return text[start:] if end is None and len(text) >= start else text


def _at(index: int, words: list[str]) -> str:
    """The first for what lies before it, the last for what lies behind it."""
    if not words:
        return ""
    if index < 0:
        return words[index] if -index < len(words) else words[0]
    return words[min(index, len(words) - 1)]


def _of_map(key: str, found: Mapping[str, str]) -> str:
    return found.get(key, "")


def _index(found: Mapping[str, str] | list[str], key: str | int) -> str:
    if isinstance(found, Mapping):
        return found.get(str(key), "")
    if not isinstance(key, int) or not 0 <= key < len(found):
        raise ValueError(f"there is no element {key}")
    return found[key]


def _join(separator: str, words: list[str]) -> str:
    if isinstance(words, str):
        raise TypeError("it is one text, not several")
    return separator.join(words)


def _replace(times: int, old: str, new: str, text: str) -> str:
    return text.replace(old, new, times)


def _split(separator: str, text: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _first(pattern: str, words: list[str]) -> str:
    return next(iter(_all(pattern, words)), "")


def _all(pattern: str, words: list[str]) -> list[str]:
    return [word for word in words if re.search(pattern, word)]


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Value]]] = {
    "strSlice": (1, 3, _slice),
    "sIndex": (2, 2, _at),
    "mIndex": (2, 2, _of_map),
    "index": (2, 2, _index),
    "toUpper": (1, 1, lambda text: text.upper()),
    "toLower": (1, 1, lambda text: text.lower()),
    "replace": (4, 4, _replace),
    "join": (2, 2, _join),
    "split": (2, 2, _split),
    "splitIndex": (3, 3, lambda index, separator, text: _at(index, _split(separator, text))),
    "matchFirstElement": (2, 2, _first),
    "matchAllElements": (2, 2, _all),
}
REFUSED = {
    "httpGet": "a tag that asks the network would hold up every registration",
    "jsonParse": "it reads what httpGet fetched",
    "print": "text beside {{…}} is printed as it is",
    "printf": "text beside {{…}} is printed as it is",
    "println": "text beside {{…}} is printed as it is",
    "len": "numbers are no tags",
}
