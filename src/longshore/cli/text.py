"""Plain text for terminals and pipes: columns, ages, a little colour where a terminal shows it.

Names and reasons come from containers, so they are untrusted: `clean` takes out what a terminal would obey.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TextIO

Colour = Literal["red", "green", "yellow", "dim", "bold"]
CODES: dict[Colour, str] = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}
PARTS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def clean(text: object) -> str:
    """Take out control characters: one line, no escape sequences."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def colourful(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: Colour | None, stream: TextIO | None = None) -> str:
    """Colour text for a stream, by default stdout, if it shows colours."""
    if colour is None or not colourful(stream or sys.stdout):
        return text
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m"


def columns(rows: Iterable[Sequence[object]], indent: str = "", colours: Sequence[Colour | None] = ()) -> list[str]:
    """Line up rows of cells; `colours` gives each row's first cell a colour. Empty columns take no room."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        return []
    width = max(map(len, cells))
    cells = [row + [""] * (width - len(row)) for row in cells]
    widths = [max(len(row[i]) for row in cells) for i in range(width)]
    lines = []
    for number, row in enumerate(cells):
        padded = [cell.ljust(size) for cell, size in zip(row, widths, strict=True) if size]
        if padded and number < len(colours):
            padded[0] = paint(padded[0], colours[number])
        lines.append((indent + "  ".join(padded)).rstrip())
    return lines


def span(seconds: float) -> str:
    """Say a duration in its two largest units: "3 h 2 min", "12 s"."""
    left = max(0.0, seconds)
    for i, (size, unit) in enumerate(PARTS):
        if left >= size:
            first = f"{int(left // size)} {unit}"
            if i + 1 < len(PARTS) and (rest := int(left % size // PARTS[i + 1][0])):
                return f"{first} {rest} {PARTS[i + 1][1]}"
            return first
    return "0 s"


def ago(since: float, now: float | None = None) -> str:
    """Say how long something lasts already; "" when it is not known since when."""
    return span((time.time() if now is None else now) - since) if since else ""


def plural(count: int, one: str, many: str = "") -> str:
    """Count things: "1 reload", "2 reloads"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def clock(at: float) -> str:
    """Say a moment in local time."""
    moment = time.localtime(at)
    return time.strftime("%H:%M:%S" if moment[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M:%S", moment)


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        print(line)


def say_json(value: Any) -> None:
    """Print JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


class Progress:
    """One line on stderr about what is waited for: rewritten in place on a terminal, else printed when it changes."""

    def __init__(self) -> None:
        self._last = ""
        self._in_place = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Show where things are."""
        text = clean(text)
        if text == self._last:
            return
        self._last = text
        if self._in_place:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def done(self) -> None:
        """Leave the line."""
        if self._in_place and self._last:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self._last = ""
