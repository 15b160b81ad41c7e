"""Asking a longshore, or an engine, whether it is well: the standard library only, for a HEALTHCHECK every few seconds.

python -m longshore.cli.well               the balancer of $LONGSHORE_STATE_DIR
python -m longshore.cli.well SOCKET        the socket proxy at this path, and through it the engine
python -m longshore.cli.well PORT          the agent that listens on this port, without TLS

`longshore health` is the same for people, and stricter: it minds services of the configuration that are set aside. Here
they do not count, because whoever asks may restart what is not well, and with it all that is served.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys

BALANCER, ENGINE = "/readyz", "/_ping"
PATIENCE = 5.0  # seconds


def ask(path: str, target: str) -> tuple[int, str]:
    """Give the status and the words of the answer of a unix socket, or of a port; status 0 when nothing answers."""
    port = int(path) if path.isdecimal() else None
    connection = http.client.HTTPConnection("127.0.0.1" if port else "localhost", port, timeout=PATIENCE)
    try:
        if port is None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(PATIENCE)
            connection.sock.connect(path)
        connection.request("GET", target, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"nothing answers: {getattr(error, 'strerror', None) or repr(error)}"
    finally:
        connection.close()


if __name__ == "__main__":
    state = os.environ.get("LONGSHORE_STATE_DIR", "/var/lib/longshore")
    where = sys.argv[1] if sys.argv[1:] else f"{state}/longshore.sock"
    status, said = ask(where, ENGINE if where.startswith("/") and sys.argv[1:] else BALANCER)
    print(said)
    sys.exit(status != 200)
