"""Ask a gRPC server whether it serves: grpc.health.v1.Health/Check, over HTTP/2 with prior knowledge, or over TLS.

The two messages are so small that we write and read them ourselves.
Source of protocol facts: gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md), health checking protocol (doc/health-checking.md),
health.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from longshore.agent.first_check import CheckFailed
from longshore.agent.register_check_target import CheckTarget, connected
from longshore.core.places import joined

MOST = 64 * 1024  # bytes that are read, whatever they are
SETTINGS = b"\4"  # the kind of the frame that everybody begins with
SERVING = 1
STATES = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
NOT_FOUND, UNIMPLEMENTED = "5", "12"


@dataclass
class Answer:
    """What came back so far."""

    status: str = ""  # of HTTP
    code: str = ""  # of gRPC
    message: str = ""
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False

    def take(self, event: Event) -> None:
        """Take in what HTTP/2 says."""
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            headers = {_text(name): _text(value) for name, value in event.headers or ()}
            self.status = headers.get(":status", self.status)
            self.code = headers.get("grpc-status", self.code)
            self.message = headers.get("grpc-message", self.message)
        elif isinstance(event, DataReceived):
            self.body += event.data or b""
        elif isinstance(event, StreamEnded):
            self.ended = True
        elif isinstance(event, (StreamReset, ConnectionTerminated)) and not self.ended:
            raise CheckFailed(f"it broke off with HTTP/2 error {event.error_code!s}")


async def serving(target: CheckTarget, service: str) -> None:
    """Return if the service serves ("": the server as a whole). Raises CheckFailed and what connections raise."""
    async with connected(target, "h2") as (reader, writer):
        http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        http.initiate_connection()
        stream = http.get_next_available_stream_id()
        authority = target.host or joined(target.address, target.port)
        http.send_headers(stream, _headers("https" if target.tls else "http", authority))
        http.send_data(stream, request(service), end_stream=True)
        writer.write(http.data_to_send())
        answer = await _answer(http, reader, writer)
    judge(answer, service)


def request(service: str) -> bytes:
    """Give the message HealthCheckRequest{service}, framed."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def judge(answer: Answer, service: str) -> None:
    """Raise CheckFailed unless the answer says that the service serves."""
    asked = f"the service {service!r}" if service else "the server"
    if answer.status != "200":
        raise CheckFailed(f"not a gRPC server: it answers with HTTP status {answer.status[:10] or 'nothing'}")
    if answer.code == UNIMPLEMENTED:
        raise CheckFailed("it has no health service (grpc.health.v1.Health): add one, or check with tcp")
    if answer.code == NOT_FOUND:
        raise CheckFailed(f"its health service does not know {asked}")
    if answer.code != "0":
        said = (
            f"gRPC status {answer.code[:10]} {unquote(answer.message)[:200]}".rstrip() if answer.code else "no status"
        )
        raise CheckFailed(f"it answers the health check with {said}")
    state = _state(bytes(answer.body))
    if state != SERVING:
        raise CheckFailed(f"{asked} is {STATES.get(state, f'in the unknown state {state}')}")


async def _answer(http: H2Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
    answer, got = Answer(), 0
    while not answer.ended:
        data = await reader.read(4096)
        if not data:
            raise CheckFailed("closed the connection without a complete answer" if got else "empty answer")
        if not got and data[3:4] not in (b"", SETTINGS):
            what = "it speaks HTTP/1" if data.startswith(b"HTTP/1") else f"no HTTP/2, it begins with {data[:20]!r}"
            raise CheckFailed(f"not a gRPC server: {what}")
        got += len(data)
        if got > MOST:
            raise CheckFailed("its answer is too long for a health check")
        try:
            for event in http.receive_data(data):
                answer.take(event)
        except H2Error as error:
            raise CheckFailed(f"not a gRPC server: no HTTP/2 ({error or type(error).__name__})") from None
        writer.write(http.data_to_send())
    return answer


def _headers(scheme: str, authority: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", scheme),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "longshore"),
    ]


def _state(body: bytes) -> int:
    """Read HealthCheckResponse{status}, framed; a message without the field means 0 (proto3)."""
    message = body[5:]
    if len(body) < 5 or body[0] != 0 or int.from_bytes(body[1:5], "big") != len(message):
        raise CheckFailed("its health service answers with something else than a health")
    if not message:
        return 0
    if message[0] != 0x08 or len(message) < 2:
        raise CheckFailed("its health service answers with something else than a health")
    return message[1]


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, number >> 7])


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
