"""`longshore socket-proxy` as a process of its own, in front of a lab engine.

with SocketProxy(engine.host) as proxy:
    ...                      # an engine that only reads, at proxy.host
assert proxy.refused == []
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.balancer import LONGSHORE
from tests.lab.engine import PREFIX
from tests.lab.waiting import until


class SocketProxy:
    """A proxy for as long as the `with` block lasts; `options` are more of its command line."""

    def __init__(self, engine: str, *options: str, listen: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o777)
        (self.folder / "owner").write_text(str(os.getpid()))
        self.host = listen or f"unix://{self.folder}/docker.sock"
        self._log = self.folder / "log"
        self._command = [str(LONGSHORE), "socket-proxy", "--engine", engine, "--listen", self.host, *options]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SocketProxy:
        """Start it and wait until it offers the engine."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until(self._offers, what="the socket proxy is ready")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        try:
            self.end()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _offers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"longshore socket-proxy ended with {self.process.returncode}: {self.log_text()}")
        return "offering the engine" in self.log_text()

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def log_text(self) -> str:
        """Return what it printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def refused(self) -> list[str]:
        """The requests that it kept back, as it logged them: "POST /v1.41/containers/create"."""
        return re.findall(r'event=refused .*?request="([^"]*)"', self.log_text())
