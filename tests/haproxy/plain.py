"""A small configuration without the rest of longshore, and ways to run and to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from longshore.core.paths import Paths
from longshore.haproxy.managed import Managed
from tests.lab import ports
from tests.lab.haproxy import haproxy

TEXT = """\
# Written by longshore for a test
global
    stats socket {paths.socket} mode 600 level admin expose-fd listeners
    stats timeout 1h
    server-state-file {paths.server_state}
    hard-stop-after 10s
    {extra}
defaults
    mode http
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    option idle-close-on-response
    load-server-state-from-file global
frontend main
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string {answer} if {{ path / }}
    default_backend app
backend app
    server one 127.0.0.1:{app} weight 50
"""


@dataclass(slots=True)
class Plain:
    """Where one HAProxy of a test lives."""

    series: str
    paths: Paths
    port: int
    app: int
    made: list[Managed] = field(default_factory=list)

    def managed(self) -> Managed:
        """A new process object, as a new longshore would make it."""
        self.made.append(Managed(self.paths, binary=str(haproxy(self.series))))
        return self.made[-1]

    def config(self, answer: str = "first", more: str = "", extra: str = "") -> str:
        """A configuration that answers with this word; `more` comes at its end, `extra` in `global`."""
        return TEXT.format(paths=self.paths, port=self.port, app=self.app, answer=answer, extra=extra) + more

    async def ask(self, path: str = "/") -> str:
        """The body of the answer to one request on a new connection; "" if there is none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return ""
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return (await reader.read()).decode().partition("\r\n\r\n")[2]
        except ConnectionError:
            return ""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def written(self) -> str:
        """The configuration on disk."""
        return Path(self.paths.config).read_text()

    def put(self, path: str, text: str) -> None:
        """Write a file."""
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)

    def remove(self, path: str) -> None:
        """Remove a file."""
        Path(path).unlink()

    def size(self, path: str) -> int:
        """The bytes in a file."""
        return Path(path).stat().st_size

    def files(self) -> set[str]:
        """The names of the files HAProxy lives with."""
        return {path.name for path in Path(self.paths.folder).iterdir()}


@contextlib.asynccontextmanager
async def plain(series: str) -> AsyncIterator[Plain]:
    """A place for a HAProxy; whatever was started there has ended afterwards."""
    folder = tempfile.mkdtemp(prefix="ls-")
    here = Plain(series, Paths(folder), ports.free(), ports.free())
    try:
        yield here
    finally:
        for each in here.made:
            await each.close()
        for each in (*here.made, here.managed()):
            await each.stop(0)
        shutil.rmtree(folder)


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
