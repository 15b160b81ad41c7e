"""Load that is counted exactly: a fixed rate, no repeats, and each request in exactly one class. See `load_client`.

with Load(port=8080, host="a.test", rate=200) as load:
    ...                       # change things
    load.more(100)            # and see what the next hundred requests say
assert load.report.lost == 0, load.report
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.lab.waiting import until

CLIENT = Path(__file__).with_name("load_client.py")


@dataclass(frozen=True)
class Failure:
    """A request that was not answered well."""

    at: float  # Unix seconds
    kind: str
    id: str  # its X-Id
    who: str  # whose answer it was, if that is known


@dataclass(frozen=True)
class Seen:
    """One web service as the load saw it."""

    count: int
    first: float  # Unix seconds of its first and last good answer
    last: float


@dataclass(frozen=True)
class Report:
    """What became of all requests. Times in seconds."""

    sent: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    by: Mapping[str, Seen] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    late: float = 0.0  # how much later than due the sender was at worst

    @property
    def ok(self) -> int:
        """How many were answered well."""
        return self.classes.get("ok", 0)

    @property
    def lost(self) -> int:
        """How many were not."""
        return self.sent - self.ok

    def __str__(self) -> str:
        """Say it in one line, with the first failures."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.classes.items()))
        first = self.failures[0].at if self.failures else 0
        shown = "; ".join(f"{each.kind} after {each.at - first:.2f} s ({each.id})" for each in self.failures[:5])
        return f"{self.sent} sent in {self.seconds:.1f} s: {kinds}" + (f"; first failures: {shown}" if shown else "")


class Load:
    """Requests at a constant rate to 127.0.0.1:`port`, from the start of the `with` block until its end.

    `keep`: connections are used again (else each request has a new one). `method`: GET, or POST with a body; every
    request carries a unique X-Id. `workers`: processes that share the rate.
    """

    def __init__(
        self,
        *,
        port: int,
        host: str = "localhost",
        path: str = "/",
        address: str = "127.0.0.1",
        rate: float = 100,
        keep: bool = True,
        method: Literal["GET", "POST"] = "GET",
        headers: Mapping[str, str] | None = None,
        timeout: float = 15,
        workers: int = 1,
    ) -> None:
        self.prefix = secrets.token_hex(4)
        self.report = Report()
        self._settings = {
            "address": address,
            "port": port,
            "host": host,
            "path": path,
            "rate": rate / workers,
            "keep": keep,
            "method": method,
            "headers": dict(headers or {}),
            "timeout": timeout,
        }
        self._workers = workers
        self._processes: list[subprocess.Popen[str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="longshore-load-")

    def __enter__(self) -> Load:
        """Start; returns once requests are being sent."""
        for number in range(self._workers):
            progress = Path(self._folder.name, str(number))
            progress.write_text(f"{0:12} {0:12} {0:12}")
            settings = json.dumps({**self._settings, "prefix": f"{self.prefix}-{number}-"})
            command = [sys.executable, "-I", str(CLIENT), settings, str(progress)]
            self._processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        try:
            self.more(0)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending, wait until every request has ended, and count."""
        try:
            self.stop()
        finally:
            self._kill()
            self._folder.cleanup()

    def progress(self) -> tuple[int, int, int]:
        """Return how many requests were sent, have ended, and have failed so far (told every 50 ms)."""
        lines = [Path(self._folder.name, str(number)).read_text().split() for number in range(self._workers)]
        sent, ended, failed = (sum(int(line[column]) for line in lines) for column in range(3))
        return sent, ended, failed

    def more(self, count: int) -> None:
        """Wait until `count` requests more than now have ended."""
        before = self.progress()[1]
        until(lambda: self._running() and self.progress()[1] > before + count, 60, f"{count} more requests end")

    def _running(self) -> bool:
        if any(process.poll() is not None for process in self._processes):
            raise RuntimeError("the load generator has ended by itself")
        return True

    def stop(self) -> Report:
        """Stop sending, wait until every request has ended, and return the report."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        reports = [json.loads(process.communicate(timeout=60)[0]) for process in self._processes]
        self._processes = []
        if reports:
            self.report = _sum(reports)
        return self.report

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes = []

    def twice(self, posts: Iterable[str]) -> list[str]:
        """Return the ids among `posts` (what the web services saw) that came from this load more than once."""
        counted = Counter(post for post in posts if post.startswith(self.prefix))
        return [post for post, count in counted.items() if count > 1]


def _sum(reports: list[dict[str, object]]) -> Report:
    classes, by, failures = Counter[str](), dict[str, Seen](), list[Failure]()
    for report in reports:
        assert isinstance(report["classes"], dict)
        assert isinstance(report["by"], dict)
        assert isinstance(report["failures"], list)
        classes.update(report["classes"])
        failures += [Failure(**failure) for failure in report["failures"]]
        for who, (count, first, last) in report["by"].items():
            known = by.get(who, Seen(0, first, last))
            by[who] = Seen(known.count + int(count), min(known.first, first), max(known.last, last))

    def largest(key: str) -> float:
        return max(float(str(report[key])) for report in reports)

    return Report(
        sent=sum(int(str(report["sent"])) for report in reports),
        classes=dict(classes),
        by=by,
        failures=tuple(sorted(failures, key=lambda failure: failure.at)),
        seconds=largest("seconds"),
        p50=largest("p50"),
        p99=largest("p99"),
        longest=largest("longest"),
        late=largest("late"),
    )
