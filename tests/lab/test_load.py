"""The load generator counts exactly what a server with known failures did."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.load import Load
from tests.lab.web import Web

GOOD = b"HTTP/1.1 200 OK\r\nX-Who: truth\r\nContent-Length: 3\r\n\r\nok\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nX-Who: truth\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
BROKEN = {  # by the number of the request, of every hundred
    10: ("http_503", b"HTTP/1.1 503 no\r\nContent-Length: 3\r\n\r\nno\n"),
    20: ("noanswer", b""),
    30: ("truncated", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"),
    40: ("timeout", None),
    50: ("ok", CHUNKED),
}


class Truth(socketserver.StreamRequestHandler):
    """Answers well, but for a few requests of each hundred; counts what it did."""

    lock = threading.Lock()

    def handle(self) -> None:
        counts: Counter[str] = self.server.counts  # type: ignore[attr-defined]
        while self.rfile.readline().strip():
            while self.rfile.readline().strip():
                pass
            with self.lock:
                counts["all"] += 1
                kind, answer = BROKEN.get(counts["all"] % 100, ("ok", GOOD))
                counts[kind] += 1
            if answer is None:
                time.sleep(3)  # longer than the load waits
                return
            self.wfile.write(answer)
            if kind in ("noanswer", "truncated"):
                return


@contextmanager
def truth() -> Iterator[tuple[int, Counter[str]]]:
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 1024
        counts: Counter[str]

        def handle_error(self, *_: Any) -> None:
            """Clients that went away are no concern here."""

    with Server(("127.0.0.1", ports.free()), Truth) as server:
        server.counts = Counter()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1], server.counts
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("keep", [True, False])
def test_every_request_is_in_exactly_the_class_that_the_server_knows(keep: bool) -> None:
    with truth() as (port, counts):
        with Load(port=port, rate=300, keep=keep, timeout=1.5) as load:
            load.more(500)
        counts.pop("all")
        assert load.report.classes == counts
        assert load.report.sent == sum(counts.values())
        assert load.report.lost == sum(count for kind, count in counts.items() if kind != "ok")


def test_a_port_without_a_listener_is_refused_and_a_reset_is_a_reset() -> None:
    with Load(port=ports.free(), rate=100) as load:
        load.more(10)
    assert set(load.report.classes) == {"refused"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=reset_one, args=(server,))
        thread.start()
        with Load(port=server.getsockname()[1], rate=5, timeout=1) as load:
            load.more(0)
        thread.join()
    assert load.report.classes["reset"] == 1


def reset_one(server: socket.socket) -> None:
    """Read a request, then answer with a TCP reset."""
    connection, _ = server.accept()
    connection.recv(1)  # the rest stays unread, so that closing resets
    connection.close()


@pytest.mark.system
@pytest.mark.parametrize("keep", [True, False])
def test_eight_hundred_requests_a_second_are_sent_and_each_post_arrives_once(keep: bool) -> None:
    with Web("ann") as web:
        with Load(port=web.port, rate=800, keep=keep, method="POST", workers=2) as load:
            load.more(1600)
        posts = web.get("/seen").split()
        assert load.report.lost == 0, load.report
        assert load.report.by["ann"].count == load.report.sent == len(posts)
        assert load.twice(posts) == []
        assert load.twice([*posts, posts[0]]) == [posts[0]]
