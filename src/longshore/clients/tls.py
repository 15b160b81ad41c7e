"""TLS for clients: three files in, an `ssl.SSLContext` out, and faults that name the file."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longshore.clients.faults import TlsFault, first_line


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. `ca` "" trusts the system's authorities; `cert` and `key` "" present no certificate of ours.

    `key` "" with a `cert` means that the key is in the certificate's file.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""


class TlsSettings(Protocol):
    """Files as a section of the configuration names them."""

    @property
    def ca(self) -> Path | None: ...  # noqa: D102  the names say it
    @property
    def cert(self) -> Path | None: ...  # noqa: D102
    @property
    def key(self) -> Path | None: ...  # noqa: D102


def files_of(settings: TlsSettings | None) -> TlsFiles | None:
    """Take the files of a section; None if there is no such section."""
    if settings is None:
        return None
    return TlsFiles(*(str(path) if path else "" for path in (settings.ca, settings.cert, settings.key)))


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Read the files and make a context that verifies the server, name included. Raises TlsFault."""
    if files.key and not files.cert:
        raise TlsFault(f"TLS key {files.key} has no certificate", "give the certificate too, or leave out the key")
    for kind, path in (("CA", files.ca), ("certificate", files.cert), ("key", files.key)):
        if path:
            _readable(kind, path)
    try:
        context = ssl.create_default_context(cafile=files.ca or None)
    except (ssl.SSLError, OSError) as error:
        raise TlsFault(f"TLS CA {files.ca} holds no usable certificate: {_said(error)}", "it must be PEM") from error
    if files.ca:
        as_ever(context)
    if files.cert:
        try:
            context.load_cert_chain(files.cert, files.key or None, password=_no_password)
        except (ssl.SSLError, OSError) as error:
            pair = f"{files.cert} and {files.key}" if files.key else files.cert
            raise TlsFault(
                f"TLS certificate and key do not load from {pair}: {_said(error)}",
                "both must be PEM, the key without a password and made for this certificate",
            ) from error
    return context


def as_ever(context: ssl.SSLContext) -> None:
    """Trust an authority that an operator names, whatever extensions its own certificate lacks.

    From Python 3.13 on, `create_default_context` asks for those of RFC 5280 (VERIFY_X509_STRICT): what `openssl req
    -x509` makes, as Docker's manual has it, would be refused there alone. docs.python.org/3.13/library/ssl.html
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def _readable(kind: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise TlsFault(f"TLS {kind} {path}: {error.strerror}", "check the path and who may read the file") from error


def _no_password() -> str:
    """Answer instead of the terminal prompt OpenSSL would show."""
    return ""


def _said(error: Exception) -> str:
    return first_line(getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
