"""`longshore health`: whether the longshore beside it is well. For HEALTHCHECK, quick to start."""

from __future__ import annotations

import http.client
import os
import socket
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from longshore.cli.ask import agent
from longshore.cli.ending import FINDING, FINE, UNREACHABLE, End
from longshore.cli.options import ConfigFile, StateDir

PATIENCE = 5.0  # seconds


def health(
    *,
    socket_proxy: Annotated[
        Path | None,
        Parameter(name="--socket-proxy", help="Ask the socket proxy at this socket, and through it the engine."),
    ] = None,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Tell whether the balancer serves: longshore answers, and HAProxy runs what the sources said.

    Ends with 0 when it does, 1 when not yet, 3 when nothing answers.
    """
    path = socket_proxy or agent(state_dir, config).path
    target = "/_ping" if socket_proxy else "/readyz"
    status, text = _ask(path, target)
    if status != 200:
        raise End(FINDING, f"{path}: {text}")
    print("well")
    return FINE


def _ask(path: Path, target: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(os.fspath(path))
        connection.request("GET", target, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise End(UNREACHABLE, f"nothing answers at {path}: {getattr(error, 'strerror', '') or error!r}") from None
    finally:
        connection.close()
