"""The words of a line of HAProxy's configuration, and back (configuration manual, sections 2.2 and 2.3)."""

from __future__ import annotations

import re

from longshore.core.quote import quote
from longshore.core.values import RefusedError, shown

_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", " ": " ", "#": "#", "\\": "\\", '"': '"', "'": "'"}


def words(line: str) -> list[str]:
    """Take a line apart: backslashes and quotes resolved, the comment left out. RefusedError if it cannot be read."""
    found: list[str] = []
    word: str | None = None
    at, strong, weak = 0, False, False
    while at < len(line):
        char = line[at]
        if strong:
            strong = char != "'"
            word = (word or "") + (char if strong else "")
        elif char == "\\" and at + 1 < len(line):
            text, length = _escape(line[at:], weak=weak)
            word = (word or "") + text
            at += length - 1
        elif char == '"':
            weak, word = not weak, word or ""
        elif weak and re.match(r"\$[A-Za-z_{]", line[at:]):
            raise RefusedError(f"{shown(line)} uses a variable of the environment", "write its value in its place")
        elif weak:
            word = (word or "") + char
        elif char == "'":
            strong, word = True, word or ""
        elif char == "#":
            break
        elif char in " \t":
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + char
        at += 1
    if strong or weak:
        raise RefusedError(f"{shown(line)}: a quote is not closed", "close it")
    return [*found, *([word] if word is not None else [])]


def _escape(rest: str, *, weak: bool) -> tuple[str, int]:
    """What a backslash and what follows it stand for, and how many characters that is; unknown ones stay."""
    if found := re.match(r"\\x([0-9A-Fa-f]{2})", rest):
        return chr(int(found[1], 16)), 4
    if rest[1] in _ESCAPED or (weak and rest[1] == "$"):
        return _ESCAPED.get(rest[1], rest[1]), 2
    return rest[0], 1


def joined(parts: list[str] | tuple[str, ...]) -> str:
    """The line with these words."""
    try:
        return " ".join(map(quote, parts))
    except ValueError as error:
        raise RefusedError(str(error)) from None


def literal(text: str) -> str:
    """A text where HAProxy would read its log format: "%" doubled."""
    return text.replace("%", "%%")
