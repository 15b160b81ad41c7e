"""How a command ends: its exit code, and the error that ends it early."""

from __future__ import annotations

FINE = 0
FINDING = 1  # the answer is no: an invalid configuration, an endpoint that is not up, an unknown service
USAGE = 2  # the command was called wrongly
UNREACHABLE = 3  # no agent answers
INTERRUPTED = 130


class End(Exception):  # noqa: N818 - it ends a command, in an orderly way
    """Ends the command with words for people on stderr: what happened and where, and what to do next."""

    def __init__(self, code: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint
