"""A socket proxy as careful people put it before the engine's socket: GET only, and only what it takes to watch.

with SocketProxy(engine.socket) as proxy:
    ...                      # an engine at proxy.host
assert proxy.refused == []
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from contextlib import suppress
from pathlib import Path

from tests.lab import ports

ALLOWED = re.compile(rb"GET (/v[0-9.]+)?/(_ping|version|events|containers)\b[^ ]* HTTP/1\.1\r\n")


class SocketProxy:
    """A proxy on 127.0.0.1 for as long as the `with` block lasts; `refused` are the requests that it kept back."""

    def __init__(self, engine: Path) -> None:
        self.engine = engine
        self.refused: list[str] = []
        self.asked = 0
        self._server = _Server(self)
        self.host = f"tcp://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> SocketProxy:
        """Start it."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it; connections that are open end with their clients."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: SocketProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", ports.free()), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    """One connection: heads of requests are read and judged, answers are passed back as they come."""

    request: socket.socket

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        proxy = self.server.proxy
        with socket.socket(socket.AF_UNIX) as engine, suppress(OSError):
            engine.connect(str(proxy.engine))
            answers = threading.Thread(target=_pass_on, args=(engine, self.request), daemon=True)
            answers.start()
            while head := self._head():
                if not ALLOWED.match(head):
                    proxy.refused.append(head.split(b"\r\n")[0].decode(errors="replace"))
                    self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    break
                proxy.asked += 1
                engine.sendall(head)
            engine.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _head(self) -> bytes:
        """Read to the end of a head; b"" when the client has gone. GETs have no body, and nobody pipelines."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = self.request.recv(65536)
            if not got:
                return b""
            head += got
        return head


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while got := source.recv(65536):
            target.sendall(got)
        target.shutdown(socket.SHUT_RDWR)
