"""What can go wrong with etcd, in words for people: the one place that makes an EtcdError.

Protocol fact: an error is `{"code": …, "message": …}` with a gRPC code; in a stream it is wrapped in `error`, and
3.4 calls the code `grpc_code`. What the codes do not tell apart, the messages do (etcd's api/v3rpc/rpctypes/error.go).
"""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from typing import Any

from longshore.clients.faults import first_line
from longshore.clients.http_faults import explain, hung_up, system_error
from longshore.clients.registry_faults import RegistryError
from longshore.clients.tls import TlsFiles


class EtcdError(RegistryError):
    """etcd cannot be used, or refuses. `elsewhere`: another endpoint of the cluster may do better."""

    def __init__(self, what: str, hint: str = "", *, elsewhere: bool = False) -> None:
        super().__init__(what, hint)
        self.elsewhere = elsewhere


class CompactedError(EtcdError):
    """The history that was asked for is forgotten: list again."""


class LeaseGoneError(EtcdError):
    """There is no such lease (any more)."""


class LeaseExistsError(EtcdError):
    """A lease of this id is there already."""


class DeniedError(EtcdError):
    """Refused, now and later: a permission, or a value that etcd does not take."""


class LoginError(EtcdError):
    """A token is missing or not valid (any more): authenticate, and try again."""


class NoLoginError(EtcdError):
    """Somebody wanted to authenticate where authentication is off."""


OLD = "longshore needs etcd 3.4 or newer, with its gRPC gateway on (--enable-grpc-gateway)"
DENIED_HINT = "give its role the prefix: etcdctl role grant-permission ROLE readwrite PREFIX --prefix=true"
CN_HINT = "use a client certificate without a common name (CN), and username and password-file beside it"
NO_LEADER_HINT = "its cluster elects a leader, or has lost most of its members"

TABLE: tuple[tuple[str, type[EtcdError], bool, str, str], ...] = (
    # in the message, kind, elsewhere, what it means, hint
    ("no leader", EtcdError, True, "has no leader", NO_LEADER_HINT),
    ("request timed out", EtcdError, True, "gets no answer from its cluster", NO_LEADER_HINT),
    ("deadline exceeded", EtcdError, True, "gets no answer from its cluster", NO_LEADER_HINT),
    ("leader changed", EtcdError, True, "elects a leader", ""),
    ("too many requests", EtcdError, True, "has too many requests to do", "it is overloaded"),
    ("server stopped", EtcdError, True, "stops", ""),
    (
        "database space exceeded",
        EtcdError,
        False,
        "is full: no key can be written",
        "compact and defragment it, then etcdctl alarm disarm",
    ),
    ("required revision has been compacted", CompactedError, False, "has forgotten the revision asked for", ""),
    ("requested lease not found", LeaseGoneError, False, "has no such lease (any more)", ""),
    ("lease already exists", LeaseExistsError, False, "has that lease already", ""),
    ("authentication is not enabled", NoLoginError, False, "does not ask for users", "leave out username"),
    ("invalid auth token", LoginError, False, "does not accept the token it gave", ""),
    ("revision of auth store is old", LoginError, False, "has changed its users", ""),
    ("user name is empty", LoginError, False, "wants a user", "set username and password-file"),
    (
        "invalid user ID or password",
        EtcdError,
        False,
        "refuses this user and password",
        "check username and password-file",
    ),
    ("permission denied", DeniedError, False, "does not permit it", DENIED_HINT),
    (
        "request is too large",
        DeniedError,
        False,
        "does not take so large a value",
        "etcd takes 1.5 MB (--max-request-bytes)",
    ),
    ("CommonName of client", EtcdError, False, "refuses the client certificate", CN_HINT),
    ("HTTP request to an HTTPS server", EtcdError, False, "wants TLS", "write https:// and set tls ca"),
)


def unreachable(error: BaseException, endpoint: str, tls: TlsFiles | None) -> EtcdError:
    """Translate an exception of a request to an endpoint."""
    what, hint = explain(error, f"etcd at {endpoint}")
    secure = endpoint.startswith("https:")
    if secure and (hung_up(error) or system_error(error) == errno.EPIPE):
        # TLS 1.3: only after the handshake the server learns that it dislikes our certificate, and it may just hang up
        wants = "check tls cert and key" if tls is not None and tls.cert else "set tls cert and key"
        hint = f"it may want a client certificate: {wants}"
    if not secure and hung_up(error):
        hint = f"is it a port with TLS? Then write https:// and set tls ca. {hint}".rstrip()
    return EtcdError(what, hint, elsewhere=True)


def refused(status: int, body: bytes, endpoint: str, path: str, user: str = "") -> EtcdError:
    """Translate an answer that is not a success."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return said(document if "message" in document else document.get("error"), endpoint, path, user)
    message = first_line(body)
    if status == 404 or status == 405:
        return EtcdError(f"what answers at {endpoint} is not etcd 3.4 or newer: no {path} ({status} {message})", OLD)
    return said({"message": message or f"status {status}", "code": 14 if status >= 500 else 0}, endpoint, path, user)


def said(error: Any, endpoint: str, path: str, user: str = "") -> EtcdError:
    """Translate what etcd itself says: an error document, or only its message."""
    document = error if isinstance(error, dict) else {"message": str(error)}
    message = first_line(str(document.get("message", "")))
    who = f"etcd at {endpoint}"
    for fragment, kind, elsewhere, what, hint in TABLE:
        if fragment in message:
            asked = f" ({_doing(path)}{f' as {user}' if user else ''})" if kind is DeniedError else ""
            return kind(f"{who} {what}{asked}", hint, elsewhere=elsewhere)
    code = document.get("code", document.get("grpc_code", 0))
    return EtcdError(f"{who} answers {path} with: {_bare(message)}", elsewhere=code in (4, 14))


def not_etcd(endpoint: str, path: str, body: bytes | str) -> EtcdError:
    """Say that something else answers there."""
    shown = first_line(body, 60)
    return EtcdError(
        f"what answers at {endpoint} is not etcd: {path} gave {shown!r}", "check the endpoints", elsewhere=True
    )


def nobody(faults: Sequence[EtcdError]) -> EtcdError:
    """Say that no endpoint could do it, and why each could not."""
    if len(faults) == 1:
        return faults[0]
    reasons = "; ".join(dict.fromkeys(fault.what for fault in faults))
    hints = [fault.hint for fault in faults if fault.hint]
    hint = NO_LEADER_HINT if NO_LEADER_HINT in hints else "".join(hints[:1])
    return EtcdError(f"none of {len(faults)} etcd endpoints can be used: {reasons}", hint, elsewhere=True)


def _bare(message: str) -> str:
    """Leave out the names of the parts of etcd: "rpc error: code = Unavailable desc = etcdserver: no leader"."""
    return message.rpartition("desc = ")[2].removeprefix("etcdserver: ").removeprefix("mvcc: ")


def _doing(path: str) -> str:
    return path.removeprefix("kv/")
