"""Ask a RabbitMQ whether it serves: a message goes into its queue `nerve` and comes out again, as in Nerve's check.

The dialogue is AMQP 0-9-1, spoken here by hand: it is ten messages in a fixed order, where a client library brings
reconnects, channels and consumers that a check must not have. The queue is declared as Nerve declares it (not durable),
so that both can check the same server, and the message expires after two seconds.

Source of protocol facts: AMQP 0-9-1 specification, 2.3.5 (frames), 4.2 (methods and content), and its XML for the
numbers of methods; RabbitMQ "authentication_failure_close" (a refused login is said, not only hung up).
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

from longshore.agent.first_check import CheckFailed
from longshore.agent.register_check_target import CheckTarget, connected

QUEUE, MESSAGE, EXPIRES = "nerve", b"nerve test message", "2000"
GREETING = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY, END = 1, 2, 3, 0xCE
LARGEST = 256 * 1024  # bytes of a frame that is read

START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPEN_OK, CLOSE, CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)
CHANNEL_OPEN, CHANNEL_OPEN_OK, CHANNEL_CLOSE = (20, 10), (20, 11), (20, 40)
DECLARE, DECLARE_OK = (50, 10), (50, 11)
PUBLISH, RETURN, GET, GET_OK, GET_EMPTY, ACK = (60, 40), (60, 50), (60, 70), (60, 71), (60, 72), (60, 80)

NAMES = {
    START: "its greeting",
    TUNE: "the login",
    OPEN_OK: "opening /",
    CHANNEL_OPEN_OK: "opening a channel",
    DECLARE_OK: f"declaring the queue {QUEUE}",
    GET_OK: "getting the message",
    CLOSE_OK: "closing",
}


async def turnaround(target: CheckTarget) -> None:
    """Publish a message and get it back. Raises CheckFailed and what connections raise."""
    async with connected(target) as streams:
        talk = Dialogue(*streams)
        await talk.begin(target.login.user, target.login.password)
        await talk.ask(DECLARE, _short(0) + _text(QUEUE) + b"\0" + _table(b""), DECLARE_OK)
        talk.publish()
        taken = await talk.ask(GET, _short(0) + _text(QUEUE) + b"\0", GET_OK)
        await talk.content()
        talk.send(ACK, taken[:8] + b"\0")
        await talk.ask(CLOSE, _short(200) + _text("") + _short(0) + _short(0), CLOSE_OK, channel=0)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One connection with one channel, number 1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def begin(self, user: str, password: str) -> None:
        """Log in, and open the virtual host "/" and the channel."""
        self.writer.write(GREETING)
        await self.method(START)
        close_says_why = _table(_text("authentication_failure_close") + b"t\1")
        properties = _table(_text("product") + _long_text("longshore") + _text("capabilities") + b"F" + close_says_why)
        login = f"\0{user}\0{password}".encode()
        words = properties + _text("PLAIN") + struct.pack(">I", len(login)) + login + _text("en_US")
        limits = await self.ask(START_OK, words, TUNE, channel=0)
        self.send(TUNE_OK, limits[:6] + _short(0), channel=0)  # no heartbeats
        await self.ask(OPEN, _text("/") + _text("") + b"\0", OPEN_OK, channel=0)
        await self.ask(CHANNEL_OPEN, _text(""), CHANNEL_OPEN_OK)

    def send(self, method: tuple[int, int], arguments: bytes, *, channel: int = 1) -> None:
        """Send a method."""
        self._frame(METHOD, channel, struct.pack(">HH", *method) + arguments)

    async def ask(
        self, method: tuple[int, int], arguments: bytes, answer: tuple[int, int], *, channel: int = 1
    ) -> bytes:
        """Send a method and give the arguments of its answer."""
        self.send(method, arguments, channel=channel)
        return await self.method(answer)

    def publish(self) -> None:
        """Send the message to the queue, by the exchange that knows every queue."""
        self.send(PUBLISH, _short(0) + _text("") + _text(QUEUE) + b"\1")  # mandatory: say it if there is no such queue
        only_expiration = 1 << 8
        said = struct.pack(">HHQH", 60, 0, len(MESSAGE), only_expiration) + _text(EXPIRES)
        self._frame(HEADER, 1, said)
        self._frame(BODY, 1, MESSAGE)

    async def content(self) -> None:
        """Read the message that a method announced, whatever it says: it may be an earlier one."""
        kind, said = await self._read()
        if kind != HEADER or len(said) < 12:
            raise CheckFailed("not an AMQP server: it sends no message after announcing one")
        left = int(struct.unpack_from(">Q", said, 4)[0])
        while left > 0:
            _, piece = await self._read()
            left -= len(piece) or left

    async def method(self, wanted: tuple[int, int]) -> bytes:
        """Read a method and give its arguments. Raises CheckFailed for another one."""
        kind, said = await self._read()
        if kind != METHOD or len(said) < 4:
            raise CheckFailed(f"not an AMQP server: an unexpected frame while {NAMES[wanted]} was waited for")
        found, arguments = struct.unpack_from(">HH", said), said[4:]
        if found == wanted:
            return arguments
        if found in (CLOSE, CHANNEL_CLOSE, RETURN) and len(arguments) >= 3:
            code, length = struct.unpack_from(">HB", arguments)
            text = arguments[3 : 3 + length].decode("utf-8", "replace")
            raise CheckFailed(f"{NAMES[wanted]} is refused: {code} {text}"[:300])
        if found == GET_EMPTY:
            raise CheckFailed(f"the message that was put into the queue {QUEUE} is not there")
        raise CheckFailed(f"method {found} instead of {NAMES[wanted]}")

    async def _read(self) -> tuple[int, bytes]:
        try:
            head = await self.reader.readexactly(7)
            if head.startswith(b"AMQP"):
                raise CheckFailed("it speaks another version of AMQP than 0-9-1")
            kind, _, size = struct.unpack(">BHI", head)
            if size > LARGEST:
                raise CheckFailed("not an AMQP server, or a message of more than 256 KiB")
            said = await self.reader.readexactly(size + 1)
        except asyncio.IncompleteReadError:
            raise CheckFailed("closed the connection without a complete answer") from None
        if said[-1] != END:
            raise CheckFailed("not an AMQP server: a frame without its end")
        return kind, said[:-1]

    def _frame(self, kind: int, channel: int, said: bytes) -> None:
        self.writer.write(struct.pack(">BHI", kind, channel, len(said)) + said + bytes([END]))


def _short(number: int) -> bytes:
    return struct.pack(">H", number)


def _text(text: str) -> bytes:
    raw = text.encode()[:255]
    return bytes([len(raw)]) + raw


def _long_text(text: str) -> bytes:
    """A text as the value of a table's field."""
    return b"S" + struct.pack(">I", len(text.encode())) + text.encode()


def _table(fields: bytes) -> bytes:
    return struct.pack(">I", len(fields)) + fields
