"""The process behind `load.Load`: sends requests at a fixed rate and accounts for each of them. Standard library only.

    python load_client.py '{"address": "127.0.0.1", "port": 80, "host": "a.test", "path": "/", "rate": 100, …}' FILE

Request i is due at start + i / rate, whatever the others do (open loop: slow answers do not slow the sender down, and
latency counts from the due time). Nothing is ever repeated. Each request ends in exactly one class: "ok" (status below
400 and a whole body), "http_NNN", "refused", "reset", "noanswer" (closed before a whole head), "truncated" (closed
within the body), "timeout", "other". FILE gets "sent answered failed" every 50 ms. SIGTERM ends the sending; when all
requests have ended, the report is printed as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from typing import Any

MOST_FAILURES = 2000  # told one by one; beyond, they are only counted


class Request:
    """One request that is under way."""

    __slots__ = ("connection", "due", "ended", "number")

    def __init__(self, number: int, due: float) -> None:
        self.number = number
        self.due = due
        self.ended = False
        self.connection: Connection | None = None


class Connection(asyncio.Protocol):
    """One connection; carries one request at a time."""

    def __init__(self, load: Sender) -> None:
        self.load = load
        self.transport: Any = None
        self.request: Request | None = None
        self.buffer = b""
        self.head: tuple[int, str, bool] | None = None  # status, who, keep
        self.missing: int | None = 0  # bytes of the body; None: chunked; -1: until it closes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self.transport = transport

    def send(self, request: Request) -> None:
        """Send a request."""
        self.request, self.head, self.buffer = request, None, b""
        request.connection = self
        self.transport.write(self.load.words(request))

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        if self.request is None:
            self.transport.abort()  # nobody asked
            return
        self.buffer += data
        if self.head is None:
            head, found, self.buffer = self.buffer.partition(b"\r\n\r\n")
            if not found:
                self.buffer = head
                return
            self._read_head(head.decode("latin-1"))
        if self.missing is None:
            if self.buffer == b"0\r\n\r\n" or self.buffer.endswith(b"\r\n0\r\n\r\n"):
                self._done()
        elif 0 <= self.missing <= len(self.buffer):
            self._done()

    def _read_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        keep = self.load.keep and fields.get("connection", "").lower() != "close"
        self.head = (int(first.split()[1]), fields.get("x-who", ""), keep)
        if fields.get("transfer-encoding", "").lower() == "chunked":
            self.missing = None
        else:
            self.missing = int(fields.get("content-length", "-1"))

    def _done(self) -> None:
        request, head = self.request, self.head
        assert request
        assert head
        self.request = None
        if head[2]:
            self.load.idle.append(self)
        else:
            self.transport.close()
        self.load.end(request, "ok" if head[0] < 400 else f"http_{head[0]}", head[1])

    def connection_lost(self, error: Exception | None) -> None:
        """Judge a request that was under way."""
        if self in self.load.idle:
            self.load.idle.remove(self)
        if self.request is None:
            return
        request, who = self.request, self.head[1] if self.head else ""
        if self.head is None:
            self.load.end(request, "reset" if isinstance(error, ConnectionError) else "noanswer", who)
        elif self.missing == -1 and error is None:
            self.load.end(request, "ok" if self.head[0] < 400 else f"http_{self.head[0]}", who)
        else:
            self.load.end(request, "truncated", who)


class Sender:
    """Sends at the rate, and counts."""

    def __init__(self, settings: dict[str, Any], progress: int) -> None:
        self.settings = settings
        self.keep: bool = settings["keep"]
        self.progress = progress
        self.idle: list[Connection] = []
        self.under_way: dict[int, Request] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.classes: dict[str, int] = {}
        self.by: dict[str, list[float]] = {}  # who -> count, first and last answer (Unix seconds)
        self.failures: list[dict[str, Any]] = []
        self.latencies: list[float] = []
        self.late = 0.0
        self.stopping = False
        post = settings["method"] == "POST"
        self.fixed = (
            f"{settings['method']} {settings['path']} HTTP/1.1\r\nHost: {settings['host']}\r\n"
            + ("" if self.keep else "Connection: close\r\n")
            + "".join(f"{name}: {value}\r\n" for name, value in settings["headers"].items())
            + ("Content-Length: 4\r\n" if post else "")
        )
        self.body = "post" if post else ""

    def words(self, request: Request) -> bytes:
        """Return the request as it goes over the wire."""
        return f"{self.fixed}X-Id: {self.identity(request)}\r\n\r\n{self.body}".encode()

    def identity(self, request: Request) -> str:
        """Return what nobody else's request is called."""
        return f"{self.settings['prefix']}{request.number}"

    def end(self, request: Request, kind: str, who: str = "") -> None:
        """Account for a request, once."""
        if request.ended:
            return
        request.ended = True
        del self.under_way[request.number]
        self.classes[kind] = self.classes.get(kind, 0) + 1
        self.latencies.append(time.perf_counter() - request.due)
        now = time.time()
        if kind == "ok":
            known = self.by.setdefault(who, [0, now, now])
            known[0] += 1
            known[2] = now
        elif len(self.failures) < MOST_FAILURES:
            self.failures.append({"at": now, "kind": kind, "id": self.identity(request), "who": who})

    def start(self, request: Request) -> None:
        """Send a request on an idle connection, else on a new one."""
        self.under_way[request.number] = request
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                connection.send(request)
                return
        task = asyncio.get_running_loop().create_task(self._on_new_connection(request))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _on_new_connection(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self), self.settings["address"], self.settings["port"]
            )
        except ConnectionRefusedError:
            self.end(request, "refused")
        except ConnectionError:
            self.end(request, "reset")
        except OSError:
            self.end(request, "other")
        else:
            if request.ended:
                connection.transport.abort()
            else:
                connection.send(request)

    async def run(self) -> dict[str, Any]:
        """Send until told to stop, wait for the last answers, and return the report."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)
        watch = asyncio.create_task(self._watch())
        rate, begin = self.settings["rate"], time.perf_counter()
        while not self.stopping:
            due = begin + self.sent / rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            self.late = max(self.late, -wait)
            self.start(Request(self.sent, due))
            self.sent += 1
            if self.sent % 20 == 0:
                await asyncio.sleep(0)  # when late, answers must be read all the same
        while self.under_way:  # noqa: ASYNC110 - once per run, and simpler than an event
            await asyncio.sleep(0.01)
        watch.cancel()
        self._tell()
        return self._report(time.perf_counter() - begin)

    def stop(self) -> None:
        """Send nothing more."""
        self.stopping = True

    async def _watch(self) -> None:
        """Judge what takes too long, and tell how far we are. When nobody waits for the report any more, end."""
        parent = os.getppid()
        while True:
            if os.getppid() != parent:
                os._exit(1)
            oldest = time.perf_counter() - self.settings["timeout"]
            for request in [each for each in self.under_way.values() if each.due < oldest]:
                self.end(request, "timeout")
                if request.connection is not None:
                    request.connection.transport.abort()
            self._tell()
            await asyncio.sleep(0.05)

    def _tell(self) -> None:
        answered, good = sum(self.classes.values()), self.classes.get("ok", 0)
        os.pwrite(self.progress, f"{self.sent:12} {answered:12} {answered - good:12}".encode(), 0)

    def _report(self, seconds: float) -> dict[str, Any]:
        ordered = sorted(self.latencies) or [0.0]
        return {
            "sent": self.sent,
            "classes": self.classes,
            "by": self.by,
            "failures": self.failures,
            "seconds": seconds,
            "p50": ordered[len(ordered) // 2],
            "p99": ordered[len(ordered) * 99 // 100],
            "longest": ordered[-1],
            "late": self.late,
        }


def main() -> None:
    """Run as a process of `load.Load`."""
    gc.disable()  # thousands of small objects that do not refer to one another in circles
    descriptor = os.open(sys.argv[2], os.O_WRONLY)
    report = asyncio.run(Sender(json.loads(sys.argv[1]), descriptor).run())
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
