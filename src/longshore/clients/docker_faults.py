"""What can go wrong with a Docker Engine, in words for people: the one place that makes a DockerError.

Protocol fact: an error answer of the engine is JSON `{"message": "…"}` (Engine API, "Errors").
"""

from __future__ import annotations

import errno
import json

from longshore.clients.faults import Fault, first_line
from longshore.clients.http_faults import explain, hung_up, system_error
from longshore.clients.tls import TlsFiles

NO_SOCKET = "the socket does not exist"
PROXY_HINT = "a socket proxy in front must allow GET on /version, /_ping, /events and /containers"
WRITE_HINT = "give it the engine's own socket, or let the socket proxy in front allow this POST"

WANTS_CERTIFICATE = "it may want a client certificate: set tls cert and key"


class DockerError(Fault):
    """The engine cannot be used. `status` is the HTTP status of its answer, 0 when there was none."""

    def __init__(self, what: str, hint: str = "", status: int = 0) -> None:
        super().__init__(what, hint)
        self.status = status


def unreachable(error: BaseException, host: str, tls: TlsFiles | None = None) -> DockerError:
    """Translate an exception of a request to the engine at `host`, as the operator wrote it."""
    unix = host.startswith("unix://")
    number = system_error(error)
    if unix and number == errno.ENOENT:
        return DockerError(
            f"no Docker Engine at {host}: {NO_SOCKET}",
            "start the engine, or set the source's host; in a container, mount the socket",
        )
    if unix and number == errno.ECONNREFUSED:
        return DockerError(f"no Docker Engine behind {host}: the socket is left over", "start the engine")
    if unix and number in (errno.EACCES, errno.EPERM):
        return DockerError(
            f"{host}: permission denied",
            "run as root or as a member of the socket's group (usermod -aG docker USER), or use a socket proxy",
        )
    what, hint = explain(error, f"the Docker Engine at {host}")
    if hung_up(error) and host.startswith("ssh://"):
        hint = "on that machine the engine must run, and the user must be allowed to open its socket"
    if hung_up(error) and tls is not None:
        # TLS 1.3: only after the handshake the server learns that it dislikes our certificate, and it may just hang up
        hint = "it may want another client certificate: check tls cert and key" if tls.cert else WANTS_CERTIFICATE
    return DockerError(what, hint)


def refused(status: int, body: bytes, path: str, host: str, method: str = "GET") -> DockerError:
    """Translate an answer that is not a success."""
    said = _message(body)
    if status == 400 and "HTTPS server" in said:
        return DockerError(f"the Docker Engine at {host} wants TLS", "set tls: ca, cert and key of the source", status)
    hint = PROXY_HINT if status in (401, 403, 404, 405) else ""
    if method != "GET":
        hint = WRITE_HINT if status in (401, 403, 405) else ""
    answer = f"{status} {said}".rstrip()
    return DockerError(f"the Docker Engine at {host} answers {method} {path} with {answer}", hint, status)


def not_an_engine(host: str, path: str, body: bytes) -> DockerError:
    """Say that something else answers there."""
    said = first_line(body, 60)
    return DockerError(
        f"what answers at {host} is not a Docker Engine: GET {path} gave {said!r}",
        "check the source's host",
    )


def too_old(host: str, engine: str, api: str, need: str) -> DockerError:
    """Say that the engine speaks only older versions of the API than we do."""
    return DockerError(
        f"the Docker Engine {engine} at {host} is too old: it speaks API {api}, longshore needs {need} or newer",
        "update it to Docker 20.10 or newer",
    )


def too_new(host: str, engine: str, min_api: str, have: str) -> DockerError:
    """Say that the engine speaks only newer versions of the API than we do."""
    return DockerError(
        f"the Docker Engine {engine} at {host} is too new: it needs API {min_api} or newer, longshore speaks {have}",
        "update longshore, or set DOCKER_MIN_API_VERSION for the engine",
    )


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return first_line(body)
    message = document.get("message") if isinstance(document, dict) else None
    return first_line(message if isinstance(message, str) else body)
