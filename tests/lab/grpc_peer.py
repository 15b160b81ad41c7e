"""A real gRPC server in a process of its own, with the health of its services.

with GrpcServer({"": "SERVING", "shop.Cart": "NOT_SERVING"}) as server:
    print(server.port)
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.lab import ports


class GrpcServer:
    """The server; no `states`: without a health service. `pair` is certificate and key."""

    def __init__(self, states: Mapping[str, str], pair: tuple[Path, Path] | None = None) -> None:
        self.port = ports.free()
        self._words = [str(self.port), *(map(str, pair) if pair else ("", ""))]
        self._words += [f"{name}={state}" for name, state in states.items()]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> GrpcServer:
        """Start it and wait until it serves."""
        program = str(Path(__file__).with_name("grpc_server.py"))
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-I", program, *self._words], stdin=pipe, stdout=pipe, text=True
        )
        assert self._process.stdout
        if self._process.stdout.readline() != "serves\n":
            self.close()
            raise RuntimeError("the gRPC server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.communicate()
