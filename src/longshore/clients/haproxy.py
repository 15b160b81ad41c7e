"""Client of HAProxy's runtime socket: many commands down one connection, exactly one judged reply for each.

HAProxy's manual (management.txt 9.3, "Unix Socket commands") leaves framing to the reader. What works on every version
from 2.6 to 3.4: `prompt` mode, one command per line, many lines pipelined, one "\\n> " after each reply.
`set severity-output number` marks each message with its syslog severity: "[3]: No such server.".
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

from longshore.clients.haproxy_faults import BadCommandError, HAProxyError, UnreachableError, unreachable

LINE_LIMIT = 16_000  # bytes of one command with its payload; HAProxy breaks the connection above tune.bufsize (16 KiB)
REPLY_LIMIT = 2**28  # bytes; `show stat` of 10,000 servers needs some 10 MB
_PROMPT = b"\n> "
_HELLO = "prompt\nset severity-output number\nshow info\n"
_SESSION_WORDS = frozenset({"prompt", "quit"})  # would change how replies are framed
_ERROR = 3
_MARK = re.compile(r"^\[(\d)\]: ", re.MULTILINE)
_PAYLOAD_PROMPTS = re.compile(r"^(?:\+ )+\n?")  # up to 3.2 each line of a payload is answered by "+ "
_FORBIDDEN = re.compile(r"[;\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that carries lines of text: `add map`, `set ssl cert`. Make it with `with_payload`."""

    line: str
    payload: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What HAProxy answered to one command."""

    command: str
    text: str  # without severity marks and surrounding blank lines
    severity: int  # as in syslog: 3 error … 6 info; -1 if the reply carried none (data, or silent success)
    ok: bool


def command(*words: str | int) -> str:
    """One command line of these words, escaped.

    Raises `BadCommandError` on what would end or split the command: `;`, control characters, an empty word, `<<`.
    """
    return " ".join(_escaped(str(word)) for word in words)


def with_payload(line: str, lines: Iterable[str]) -> Command:
    """`line <<` followed by lines of text. Blank lines are left out: a blank line ends the payload."""
    kept = [text for text in lines if text.strip()]
    for text in kept:
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
            raise BadCommandError(f"control character in a line for HAProxy: {text[:100]!r}")
    return Command(line, "".join(text + "\n" for text in kept))


class RuntimeClient:
    """One persistent connection to a runtime socket, opened when first used and again after it broke.

    After a reload the process object calls `reconnect`: the connection would otherwise stay with the old worker, and
    keep it alive. What a connection remembers (`experimental-mode on`) is gone with it: say it in the same `run`.
    """

    def __init__(self, path: str, *, timeout: float = 10.0) -> None:
        self.path = path
        self.timeout = timeout  # seconds of silence until HAProxy counts as not answering
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"<RuntimeClient {self.path} pid={self._pid}>"

    @property
    def pid(self) -> int:
        """The worker's pid as told when the connection was opened; 0 while there is none."""
        return self._pid if self._streams else 0

    async def run(self, commands: Sequence[str | Command]) -> list[Reply]:
        """Send all commands at once; one reply each, in order. A failed command is a reply, not an exception.

        Raises `BadCommandError` before anything is sent; `UnreachableError` if the connection cannot be opened or
        breaks before every reply is there: some of the commands may then have been done. Concurrent callers take turns.
        """
        wire = b"".join(_encoded(c) for c in commands)
        if not wire:
            return []
        async with self._lock:
            try:
                reader, writer = await self._connected()
                writer.write(wire)  # not drained: HAProxy reads on only while we read its replies
                return await self._replies(reader, [_line(c) for c in commands])
            except (OSError, EOFError, asyncio.LimitOverrunError) as error:
                await self._drop()
                raise unreachable(self.path, error) from error
            except BaseException:
                await self._drop()  # cancelled in the middle: replies would no longer match commands
                raise

    async def ask(self, line: str) -> str:
        """The text answered to one command; raises `HAProxyError` if HAProxy refused it."""
        (reply,) = await self.run([line])
        if not reply.ok:
            raise HAProxyError(f"HAProxy refuses {line[:200]!r}: {reply.text.splitlines()[0] if reply.text else '?'}")
        return reply.text

    async def info(self) -> dict[str, str]:
        """`show info` as a mapping: "Pid", "Version", "Uptime_sec", "Stopping" …"""
        return _fields(await self.ask("show info"))

    async def renew(self) -> bool:
        """Go over to the worker that serves now; True if it is another one than before."""
        async with self._lock:
            before = self.pid
            await self._drop()
            try:
                await self._connected()
            except (OSError, EOFError, asyncio.LimitOverrunError) as error:
                await self._drop()
                raise unreachable(self.path, error) from error
            except BaseException:
                await self._drop()
                raise
            return self._pid != before

    async def reconnect(self) -> None:
        """Drop the connection; the next command opens a new one, to the worker that serves then."""
        async with self._lock:
            await self._drop()

    async def close(self) -> None:
        """Close the connection. The client may be used again."""
        await self.reconnect()

    async def __aenter__(self) -> RuntimeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        await self.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():  # HAProxy closed it while we were silent: nothing is lost
            await self._drop()
        if self._streams is None:
            async with asyncio.timeout(self.timeout):
                self._streams = await asyncio.open_unix_connection(self.path, limit=REPLY_LIMIT)
            reader, writer = self._streams
            writer.write(_HELLO.encode())
            info = (await self._replies(reader, _HELLO.splitlines()))[-1]
            pid = _fields(info.text).get("Pid", "")
            if not pid.isdigit():
                raise UnreachableError(
                    f"what answers on {self.path} is not a HAProxy we may command: {info.text[:200]!r}",
                    "the socket needs `level admin`",
                )
            self._pid = int(pid)
        return self._streams

    async def _replies(self, reader: asyncio.StreamReader, lines: Sequence[str]) -> list[Reply]:
        clock = asyncio.get_running_loop().time
        replies, heard = [], clock()
        async with asyncio.timeout(self.timeout) as silence:
            for line in lines:
                data = await reader.readuntil(_PROMPT)
                replies.append(_judged(line, data[: -len(_PROMPT)].decode("utf-8", "replace")))
                if clock() > heard + self.timeout / 10:  # a new timer for each reply would cost more than the reply
                    heard = clock()
                    silence.reschedule(heard + self.timeout)
        return replies

    async def _drop(self) -> None:
        streams, self._streams = self._streams, None
        if streams:
            streams[1].transport.abort()
            with contextlib.suppress(OSError):  # it may be broken already
                await streams[1].wait_closed()


def _escaped(word: str) -> str:
    if not word:
        raise BadCommandError("an empty word in a command for HAProxy")
    if _FORBIDDEN.search(word) or word.startswith("<<"):
        raise BadCommandError(f"a word that HAProxy's command line cannot carry: {word[:100]!r}")
    return word.replace("\\", "\\\\").replace(" ", "\\ ")


def _line(given: str | Command) -> str:
    return given if isinstance(given, str) else given.line


def _encoded(given: str | Command) -> bytes:
    """The bytes of one command, after making sure that HAProxy will read exactly one."""
    line = _line(given)
    if _FORBIDDEN.search(line) or re.search(r"(?:^| )<<", line):
        raise BadCommandError(f"more than one command for HAProxy in one line: {line[:100]!r}")
    words = line.split()
    if not words or words[0] in _SESSION_WORDS or words[:2] == ["set", "severity-output"]:
        raise BadCommandError(f"not a command that has one reply: {line[:100]!r}")
    if (len(line) - len(line.rstrip("\\"))) % 2:
        raise BadCommandError(f"a command for HAProxy ends in a lone backslash: {line[:100]!r}")
    try:
        wire = (line + "\n" if isinstance(given, str) else f"{line} <<\n{given.payload}\n").encode()
    except UnicodeEncodeError as error:
        raise BadCommandError(f"a command for HAProxy is no valid text: {line[:100]!r}") from error
    if len(wire) > LINE_LIMIT:
        raise BadCommandError(f"a command of {len(wire):,} bytes; HAProxy takes {LINE_LIMIT:,}: {line[:100]!r}")
    return wire


def _judged(line: str, raw: str) -> Reply:
    """Text and severity of a reply; where HAProxy answers several messages at once, the last one decides."""
    text = _PAYLOAD_PROMPTS.sub("", raw)
    marks = _MARK.findall(text)
    severity = int(marks[-1]) if marks else -1
    text = _MARK.sub("", text).strip("\n")
    known = not text.startswith("Unknown command")  # says so with severity 6
    return Reply(line, text, severity, known and not 0 <= severity <= _ERROR)


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.splitlines())
    return {key: value for key, _, value in pairs}
