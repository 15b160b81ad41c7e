"""A real Redis server (Debian's 7.0) on a free port of loopback.

with Redis("--requirepass", "secret") as redis:
    print(redis.port)
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.lab import packages, ports
from tests.lab.waiting import until

SUITE = "bookworm"
PROGRAM = "usr/bin/redis-check-rdb"  # redis-server is a link to it: the name decides what it does


def binary() -> Path:
    """Return the redis-server, fetched and unpacked on first use."""
    tree = packages.tree("redis-7.0", SUITE, ["redis-server", "redis-tools"], patch=[PROGRAM])
    return tree / "usr/bin/redis-server"


class Redis:
    """One server; `options` as on its command line. It ends with the process that started it."""

    def __init__(self, *options: str) -> None:
        self.port = ports.free()
        self.folder = Path(tempfile.gettempdir()) / f"longshore-lab-{secrets.token_hex(4)}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Redis:
        """Start it and wait until it answers anything."""
        self.folder.mkdir()
        (self.folder / "owner").write_text(str(os.getpid()))
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no", *self._options]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", binary(), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        try:
            until(lambda: self.say("PING"), what=f"redis answers (its log: {self.folder}/log)")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, line: str) -> str:
        """Send a line and return the line that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(line.encode() + b"\r\n")
            return connection.recv(4096).decode().strip()
