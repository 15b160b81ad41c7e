"""A real HTTP server that answers as somebody's API does, and can have moods: refuse, be silent, break off.

`Marathon` (`tests.lab.marathon`) and `Amazon` (`tests.lab.amazon`) are such. It runs in threads of this process: tests
of every kind can use it, and change what it says at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

Mood = Literal["", "silent", "hangs up", "breaks off", "rubbish"] | int
"""How every request is answered: "" is as it should be, a number is a status without another word."""


@dataclass(frozen=True)
class Call:
    """A request as it arrived."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """An answer. With `stream` it goes on for as long as that does."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterator[bytes] | None = None


class Api:
    """A server, by default on a free port of 127.0.0.1, for as long as the `with` block lasts."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.mood: Mood = ""
        self.calls: list[Call] = []
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer((address, port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self._server.server_address[0]!s}:{self.port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_address[1]

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; once more is no error."""
        if self.ended.is_set():
            return
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, call: Call) -> Reply:
        """Answer a request."""
        raise NotImplementedError

    def moody(self, call: Call) -> Reply:
        """Answer by the mood."""
        if isinstance(self.mood, int):
            return Reply(b"", self.mood)
        return Reply(b"<html>It works!</html>") if self.mood == "rubbish" else self.reply(call)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path, headers, self.rfile.read(length))
            api.calls.append(call)
            mood = api.mood
            if mood == "silent":
                api.ended.wait()
            if mood in ("silent", "hangs up"):
                self.close_connection = True
                return
            self._answer(api.moody(call), whole=mood != "breaks off")

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815  as http.server wants them

        def _answer(self, reply: Reply, *, whole: bool) -> None:
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.stream is None:
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body if whole else reply.body[: len(reply.body) // 2])
                self.close_connection = not whole
                return
            self.send_header("Connection", "close")
            self.end_headers()
            for piece in reply.stream:
                self.wfile.write(piece)
            self.close_connection = True

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # who asked is gone

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
