"""TLS contexts for tests."""

from __future__ import annotations

import ssl
from pathlib import Path


def insecure(*alpn: str) -> ssl.SSLContext:
    """A client that believes every certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def server_context(pem: Path) -> ssl.SSLContext:
    """A server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
