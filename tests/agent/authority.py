"""Certificates for tests, made by the `openssl` program (Debian: package openssl, which ca-certificates brings)."""

from __future__ import annotations

import subprocess


def self_signed(name: str) -> bytes:
    """Return a new key and its self-signed certificate for `name`, in one PEM, as HAProxy takes it."""
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "30", "-keyout", "-"]
    return subprocess.run(request, check=True, capture_output=True, timeout=60).stdout
