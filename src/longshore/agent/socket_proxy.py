"""A socket that only reads: requests for the engine are judged, made anew, and their answers passed on as they come.

proxy = SocketProxy(http, "unix:///var/run/docker.sock")
await proxy.serve(listening, stop)      until `stop` is set

What may be asked is said in `core.engine_filter`. Each request is a connection of its own to the engine, so nothing of
one client can become part of another's request; an answer's head is written anew too, from a few fields. A client that
is slow to ask or to read, or asks for too much, is let go and nobody else notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from longshore.agent.refusals import Refusals
from longshore.clients.docker_faults import unreachable
from longshore.clients.http1 import Head, Http
from longshore.clients.http_faults import FOREIGN
from longshore.core.engine_filter import LONGEST_HEAD, Passed, Refusal, judge

PASSED_ON = ("content-type", "api-version", "docker-experimental", "ostype", "server", "date", "swarm")
"""Fields of the engine's answers that clients get to see."""
LINGER = 64 * 1024 * 1024  # bytes that are read and thrown away after a refusal, so that its words arrive

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. Times in seconds."""

    connections: int = 200  # at once, of all clients
    head: float = 10.0  # from the first byte of a request to the end of its head
    idle: float = 120.0  # without a request
    answer: float = 60.0  # until the engine begins to answer
    send: float = 30.0  # for a client to take what it asked for
    linger: float = 2.0  # after a refusal


class SocketProxy:
    """The proxy in front of one engine: `http` is the way to it, `engine` its address as the operator wrote it."""

    def __init__(self, http: Http, engine: str, limits: Limits | None = None) -> None:
        self.http = http
        self.engine = engine
        self.limits = limits or Limits()
        self.refusals = Refusals()
        self.open = 0
        self._away = False

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Answer until told to stop; then every connection is closed."""
        clients: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_Client(self, reader, writer).serve())
            clients.add(task)
            task.add_done_callback(clients.discard)

        server = await asyncio.start_server(accept, sock=listening, limit=LONGEST_HEAD)
        try:
            await stop.wait()
        finally:
            server.close()
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            self.refusals.end()

    def engine_answers(self, what: str = "") -> None:
        """Log once that the engine has gone, and once that it is back. `what`: why it does not answer."""
        if what and not self._away:
            log.warning(what)
        elif not what and self._away:
            log.info("the engine answers again", engine=self.engine)
        self._away = bool(what)


class _Client:
    """One connection: request after request."""

    def __init__(self, proxy: SocketProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._limits = proxy.limits
        self._reader = reader
        self._writer = writer
        self._read = b""  # what came of the next request already

    async def serve(self) -> None:
        proxy = self._proxy
        proxy.open += 1
        try:
            if proxy.open > self._limits.connections:
                await self._refuse(Refusal(503, f"more than {self._limits.connections} connections are open"))
                return
            while await self._one():
                pass
        except (OSError, TimeoutError):
            pass  # it went away, or took too long to take its answer
        finally:
            proxy.open -= 1
            self._writer.transport.abort()

    async def _one(self) -> bool:
        """Answer one request; False when there is no other to come."""
        head = await self._head()
        if not head:
            return False
        local = self._writer.get_extra_info("socket").family != socket.AF_UNIX
        judged = judge(head, local=local) if isinstance(head, bytes) else head
        if isinstance(judged, Refusal):
            await self._refuse(judged)
            return False
        return await self._while_there(judged) and judged.keep

    async def _head(self) -> bytes | Refusal:
        """Read a head to its empty line; b"" when none comes."""
        try:
            if not self._read:
                async with asyncio.timeout(self._limits.idle):
                    self._read = await self._reader.read(LONGEST_HEAD)
            async with asyncio.timeout(self._limits.head):
                while (end := self._read.find(b"\r\n\r\n")) < 0:
                    if len(self._read) > LONGEST_HEAD:
                        return Refusal(431, f"the head of the request is longer than {LONGEST_HEAD} bytes")
                    more = await self._reader.read(LONGEST_HEAD)
                    if not more:
                        return b""
                    self._read += more
        except TimeoutError:
            return Refusal(408, "the request did not come to its end in time") if self._read else b""
        head, self._read = self._read[: end + 4], self._read[end + 4 :]
        return head

    async def _while_there(self, passed: Passed) -> bool:
        """Pass a request on for as long as the client stays; True if it has its whole answer."""
        answer = asyncio.create_task(self._pass_on(passed))
        gone = asyncio.create_task(self._until_gone())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            return answer.done() and answer.result()
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def _until_gone(self) -> None:
        """Return when the client closes, or sends too much before its answer is complete."""
        with contextlib.suppress(OSError):
            while len(self._read) <= LONGEST_HEAD and (more := await self._reader.read(LONGEST_HEAD)):
                self._read += more

    async def _pass_on(self, passed: Passed) -> bool:
        proxy = self._proxy
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.answer):
                    head, pieces = await stack.enter_async_context(proxy.http.pieces(passed.target))
            except FOREIGN as error:
                fault = unreachable(error, proxy.engine)
                proxy.engine_answers(str(fault))
                status = 504 if isinstance(error, TimeoutError) else 502
                await self._send(_error(status, f"{fault.what}; longshore socket-proxy tries again with each request"))
                return False
            proxy.engine_answers()
            return await self._answer(passed, head, pieces)

    async def _answer(self, passed: Passed, head: Head, pieces: AsyncIterator[bytes]) -> bool:
        """Give the answer piece by piece. When the engine breaks off, the client sees that it was not all."""
        framing = f"Content-Length: {head.length}" if head.length is not None else "Transfer-Encoding: chunked"
        fields = [f"{name.title()}: {head.fields[name]}" for name in PASSED_ON if name in head.fields]
        await self._send(_head(head.status, framing, *fields, keep=passed.keep))
        if not passed.body:
            return True
        try:
            async for piece in pieces:
                await self._send(piece if head.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        except FOREIGN:
            return False
        if head.length is None:
            await self._send(b"0\r\n\r\n")
        return True

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(self._limits.send):
            await self._writer.drain()

    async def _refuse(self, refusal: Refusal) -> None:
        """Say no, and let it arrive: a connection that closes with unread bytes would take the words with it."""
        self._proxy.refusals.tell(refusal, _who(self._writer))
        await self._send(_error(refusal.status, f"longshore socket-proxy: {refusal.why}"))
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                self._writer.write_eof()
                left = LINGER
                while left > 0 and (more := await self._reader.read(65536)):
                    left -= len(more)


def _head(status: int, *fields: str, keep: bool) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = (f"HTTP/1.1 {status} {phrase}", *fields, f"Connection: {'keep-alive' if keep else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _error(status: int, message: str) -> bytes:
    """Make an answer in the form of the engine's own errors (Engine API, "Errors"); the connection ends with it."""
    body = json.dumps({"message": message}).encode() + b"\n"
    return _head(status, "Content-Type: application/json", f"Content-Length: {len(body)}", keep=False) + body


def _who(writer: asyncio.StreamWriter) -> str:
    """Say who is at the other end: the process behind a unix socket (unix(7), SO_PEERCRED), or its address."""
    peer: socket.socket = writer.get_extra_info("socket")
    try:
        if peer.family != socket.AF_UNIX:
            return str(peer.getpeername()[0])
        pid, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    except OSError:
        return "somebody who has gone"
    return f"pid {pid} of uid {uid}" if pid else f"uid {uid}"
