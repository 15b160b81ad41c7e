"""HTTPS requests that believe nothing but one certificate, for the name they ask for."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path

from tests.lab.balancer import Answer


def secure_request(port: int, host: str, path: str = "/", *, trusted: Path) -> Answer:
    """Make one request over TLS. Raises ssl.SSLError (an OSError) when another certificate is shown than `trusted`."""
    context = ssl.create_default_context(cafile=str(trusted))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # it is self-signed
    plain = socket.create_connection(("127.0.0.1", port), 15)
    try:
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"https://{host}{path}: {error!r}") from error
    finally:
        connection.close()
    found = {key.lower(): value for key, value in answer.getheaders()}
    return Answer(answer.status, found.get("x-who", ""), text, found)
