"""Client of HAProxy's runtime socket: many commands down one connection, exactly one judged reply for each.

HAProxy's manual ("Unix Socket commands", management.txt 9.3) leaves framing to the reader. What works on every version
from 2.6 to 3.4: `prompt` mode, one command per line, many lines pipelined, one "\\n> " after each reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Command:
    """A command that carries lines of text: `add map`, `set ssl cert`. Make it with `with_payload`."""

    line: str
    payload: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What HAProxy answered to one command."""

    command: str
    text: str  # without the severity mark and surrounding blank lines
    severity: int  # as in syslog: 3 error … 6 info; -1 if the reply carried none (data, or silent success)
    ok: bool


def command(*words: str | int) -> str:
    """One command line of these words, each escaped; raises `BadCommandError` on `;`, line breaks, control characters."""
    raise NotImplementedError


def with_payload(line: str, lines: Iterable[str]) -> Command:
    """`line <<` followed by lines of text. Blank lines are left out: a blank line ends the payload."""
    raise NotImplementedError


class RuntimeClient:
    """One persistent connection to a runtime socket, opened when first used and again after it broke.

    `pid` is the worker's that the connection leads to (0 while unconnected). After a reload the process object calls
    `reconnect`; a connection would otherwise stay with the old worker, and keep it alive.
    """

    def __init__(self, path: str, *, timeout: float = 10.0) -> None: ...

    @property
    def pid(self) -> int:
        """The worker's pid as told when the connection was opened; 0 while there is none."""
        raise NotImplementedError

    async def run(self, commands: Sequence[str | Command]) -> list[Reply]:
        """Send all commands at once; one reply each, in order. A failed command is a reply, not an exception.

        Raises `UnreachableError` if the connection cannot be opened or breaks before every reply is there: some of the
        commands may then have been done. Concurrent callers take turns.
        """
        raise NotImplementedError

    async def ask(self, line: str) -> str:
        """The text answered to one command; raises `HAProxyError` if HAProxy refused it."""
        raise NotImplementedError

    async def reconnect(self) -> None:
        """Drop the connection; the next command opens a new one, to the worker that serves now."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connection. May be used again."""
        raise NotImplementedError

    async def __aenter__(self) -> RuntimeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        await self.close()
