"""What HAProxy writes to stderr: kept in a file, which works whether longshore lives or not.

HAProxy has the file open for appending, so it may be cut at any time.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

LIMIT = 4_000_000  # bytes; above, the older part is dropped
KEEP = 500_000

_ALERT = re.compile(r"^\[ALERT\]\s+\(\d+\) : (?:config : )*(.*)$")


class Output:
    """The log file at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> int:
        """A descriptor for HAProxy to write to; the caller closes it."""
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def mark(self) -> int:
        """The place where it ends now."""
        try:
            return Path(self.path).stat().st_size
        except OSError:
            return 0

    def since(self, mark: int) -> tuple[str, ...]:
        """The lines written after `mark`."""
        try:
            with Path(self.path).open("rb") as file:
                file.seek(mark)
                return tuple(file.read(KEEP).decode("utf-8", "replace").splitlines())
        except OSError:
            return ()

    def trim(self) -> None:
        """Drop the older part of a file that has grown large."""
        try:
            if self.mark() <= LIMIT:
                return
            with Path(self.path).open("r+b") as file:
                file.seek(-KEEP, os.SEEK_END)
                rest = file.read().partition(b"\n")[2]
                file.truncate(0)
                file.seek(0)
                file.write(rest)
        except OSError:
            pass  # a log that cannot be trimmed is no reason to stop


def stdout() -> int:
    """A descriptor for HAProxy's stdout; the caller closes it.

    HAProxy makes its stdout non-blocking, for all who share the open file: our own prints would fail when a pipe is
    full. So pipes and terminals are opened anew. (A file is left alone: it has no such state, but a common position.)
    """
    try:
        kind = os.fstat(1).st_mode
    except OSError:  # closed
        return os.open(os.devnull, os.O_WRONLY)
    if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
        try:
            return os.open("/proc/self/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
        except OSError:
            pass  # made by another user: share it
    return os.dup(1)


def alerts(lines: tuple[str, ...]) -> str:
    """The alerts among HAProxy's lines, as one text for people; "" if there are none."""
    found = [match[1] for line in lines if (match := _ALERT.match(line)) and not match[1].startswith("Fatal errors")]
    return "; ".join(dict.fromkeys(found))[:1000]
