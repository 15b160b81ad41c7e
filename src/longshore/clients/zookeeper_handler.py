"""How kazoo runs what it has to run, for our bridge: its connections and its one thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler

from longshore.clients import zookeeper_faults as faults
from longshore.clients.zookeeper_inbox import Inbox

SLOWEST_CONNECT = 3.0  # seconds; kazoo itself would spend a whole session on a host that does not answer


class Handler(SequentialThreadingHandler):  # type: ignore[misc]  # kazoo has no types
    """No thread but the one that speaks to the server; what it gets goes into an inbox of the event loop.

    `running` False makes its results call back at once instead of through a thread. `reasons` says what became of the
    last try at each host, `crash` why the thread ended if it should not have. `vain` is called on the event loop when
    all hosts were tried twice since the last connection that was of use (see `works`).
    """

    running = False

    def __init__(self, inbox: Inbox, tls: ssl.SSLContext | None, vain: Callable[[], None]) -> None:
        super().__init__()
        self.reasons = dict[str, str]()
        self.crash = ""
        self._inbox = inbox
        self._tls = tls
        self._vain = vain
        self._tries = 0
        self._is_cut = False
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Start no threads."""

    def stop(self) -> None:
        """Stop none."""

    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start the thread that speaks to the server. What it dies of is kept, not printed."""

        def run() -> None:
            try:
                func(*args, **kwargs)
            except Exception as error:
                self.crash = f"{type(error).__name__}: {error}"

        thread = threading.Thread(target=run, name="zookeeper", daemon=True)
        thread.start()
        return thread

    def dispatch_callback(self, callback: Any) -> None:
        """Hand out a watch event."""
        self._inbox.put(partial(callback.func, *callback.args))

    def create_connection(self, *, address: tuple[str, int], hostname: str, timeout: float, **_: Any) -> socket.socket:
        """Connect to a server, and note what became of it."""
        if self._is_cut:
            raise OSError("the connection was cut")
        self._tries += 1
        if self._tries > 2 * max(1, len(self.reasons)):
            self._inbox.put(self._vain)
        host = faults.address(hostname, address[1])
        made: socket.socket | None = None
        try:
            made = socket.create_connection(address, min(timeout, SLOWEST_CONNECT))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                made = self._tls.wrap_socket(made, server_hostname=hostname)
        except OSError as error:
            self.reasons[host] = faults.reason(error)
            if made:
                made.close()
            raise
        self.reasons[host] = faults.NOT_SERVING
        self._socket = made
        return made

    def works(self) -> None:
        """Know that the connection is of use."""
        self._tries = 0

    def cut(self) -> None:
        """Break the connection for good, without ending the session. For any thread."""
        self._is_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
