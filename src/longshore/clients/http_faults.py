"""What aiohttp, `http1` and the operating system raise, translated for people. For every client that speaks HTTP.

`explain` takes any exception of a request and gives what happened and what to do next. A client adds its own hints
(which group may open the socket, which port is the TLS one) before it asks here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiohttp

from longshore.clients.faults import first_line
from longshore.clients.http1 import BrokenOffError, NotHttpError

FOREIGN: tuple[type[Exception], ...] = (aiohttp.ClientError, asyncio.TimeoutError, OSError, EOFError, ValueError)
"""All that a request may raise (ValueError: an answer that is too long or garbled)."""


def explain(error: BaseException, where: str) -> tuple[str, str]:
    """Give (what, hint) for an exception of a request to `where`, which is an address as the operator wrote it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error.certificate_error, where)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, where)
    if isinstance(error, (aiohttp.ClientConnectorSSLError, ssl.SSLError)) or _is_tls(error):
        return _tls(error, where)
    if isinstance(error, asyncio.TimeoutError):
        return f"{where} does not answer in time", "is it overloaded, stopped, or behind a firewall?"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"{where}: the name does not resolve: {_os_text(error.os_error)}", "check the name and the DNS server"
    if isinstance(error, socket.gaierror):
        return f"{where}: the name does not resolve: {_os_text(error)}", "check the name and the DNS server"
    if isinstance(error, aiohttp.ClientPayloadError | BrokenOffError):
        return f"{where} broke off in the middle of an answer", ""
    if isinstance(error, aiohttp.ServerDisconnectedError | EOFError):
        return f"{where} closed the connection without an answer", "is something else listening there, or does it stop?"
    if hung_up(error):
        return f"{where} broke off in the middle of an answer", ""
    if _left_handshake(error):
        return f"{where} closed the connection at the TLS handshake", "does it speak TLS, or only plain HTTP?"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{where} does not speak HTTP as expected: {first_line(error.message)}", "check address and port"
    if isinstance(error, NotHttpError):
        return f"{where} does not speak HTTP: {first_line(str(error))}", "check address and port"
    if isinstance(error, OSError):
        return _os_error(error, where)
    return f"{where}: {first_line(str(error)) or type(error).__name__}", ""


def hung_up(error: BaseException) -> bool:
    """Say whether the other side closed the connection without an answer, or in the middle of one."""
    if isinstance(error, (aiohttp.ServerDisconnectedError, EOFError, ConnectionResetError, BrokenPipeError)):
        return True
    return system_error(error) in (errno.ECONNRESET, errno.EPIPE)


def system_error(error: BaseException) -> int:
    """Give the errno behind a failed connection, or 0."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, ssl.SSLError) or _is_tls(error):
        return 0  # its errno is a number of OpenSSL's, and 1 would read as EPERM
    return (error.errno or 0) if isinstance(error, OSError) else 0


def _os_error(error: OSError, where: str) -> tuple[str, str]:
    number = system_error(error)
    if number == errno.ECONNREFUSED:
        return f"{where} refuses connections", "nothing listens there: is it running, and is the address right?"
    if number == errno.ENOENT:
        return f"{where} does not exist", "check the path"
    if number in (errno.EACCES, errno.EPERM):
        return f"{where}: permission denied", "run as a user who may open it"
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"{where}: no route to the host", "check the network, and that the host is up"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return f"{where}: {_os_text(inner)}", ""


def _certificate(error: Exception, where: str) -> tuple[str, str]:
    reason = first_line(getattr(error, "verify_message", "") or str(error))
    return (
        f"TLS: the certificate of {where} is not accepted: {reason}",
        "the CA must be the one that signed it, and it must be valid for this very name or address",
    )


def _is_tls(error: BaseException) -> bool:
    """Recognise what TLS 1.3 tells only after the handshake: aiohttp hands it on as an OSError with OpenSSL's text."""
    return isinstance(error, aiohttp.ClientOSError) and "[SSL" in str(error)


def _left_handshake(error: BaseException) -> bool:
    """Recognise what asyncio raises when the other side closes before TLS is agreed on: it has neither number nor text.

    A port of etcd's without TLS does that."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    return isinstance(inner, ConnectionResetError) and inner.errno is None


def _tls(error: BaseException, where: str) -> tuple[str, str]:
    inner: BaseException = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = str(getattr(inner, "reason", "") or inner)
    if "[SSL" in reason:  # "[Errno 1] [SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate (_ssl.c:2580)"
        reason = reason.partition("[SSL")[2].lstrip(": ").partition("]")[0]
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason:
        return f"{where} does not speak TLS", "use the TLS port, or leave out the tls settings"
    if "ALERT" in reason.upper():
        return (
            f"TLS: {where} refuses us: {first_line(reason).replace('_', ' ').lower()}",
            "it wants a client certificate that its CA signed: set tls cert and key",
        )
    return f"TLS with {where} fails: {first_line(reason).replace('_', ' ').lower()}", "check tls ca, cert and key"


def _os_text(error: OSError) -> str:
    return first_line(error.strerror or str(error))
