"""The few calls of the engine's API that the lab makes itself, without the cost of starting the docker command."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class EngineApi:
    """Blocking calls on the engine's unix socket; one connection each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, target: str) -> Any:
        """Return the JSON document of a GET."""
        return json.loads(self.call("GET", target))

    def post(self, target: str) -> None:
        """Make a POST without a body; 304 (already so) is fine."""
        self.call("POST", target)

    def delete(self, target: str) -> None:
        """Make a DELETE; 404 (already gone) is fine."""
        self.call("DELETE", target, fine=(404,))

    def ping(self) -> bool:
        """Tell whether the engine answers."""
        try:
            return self.call("GET", "/_ping") == b"OK"
        except OSError:
            return False

    def import_image(self, name: str, rootfs: Path, changes: Sequence[str]) -> None:
        """Do what `docker import` does with a tar file."""
        repository, _, tag = name.rpartition(":")
        query = [("fromSrc", "-"), ("repo", repository), ("tag", tag), *(("changes", change) for change in changes)]
        self.call("POST", f"/images/create?{urllib.parse.urlencode(query)}", rootfs.read_bytes())

    def call(self, method: str, target: str, body: bytes | None = None, fine: Sequence[int] = ()) -> bytes:
        """Make one call and return the body of its answer; RuntimeError when the engine refuses."""
        connection = UnixConnection(self._path)
        try:
            headers = {"Content-Type": "application/x-tar"} if body else {}
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {target}: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= 400 and answer.status not in fine:
            raise RuntimeError(f"{method} {target}: {answer.status}: {said.decode(errors='replace').strip()}")
        return said


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to an address."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise
