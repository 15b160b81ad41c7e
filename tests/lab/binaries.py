"""The HAProxy versions longshore supports, each as Debian ships it: 2.6 (bookworm) to 3.4 (experimental)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.lab import packages

SUITES = {"2.6": "bookworm", "3.0": "trixie", "3.2": "sid", "3.4": "experimental"}
SERIES = tuple(SUITES)


def haproxy(series: str) -> Path:
    """Return the HAProxy binary of `series` ("2.6", "3.0", "3.2", "3.4"), fetched and unpacked on first use."""
    folder = packages.tree(f"haproxy-{series}", SUITES[series], ["haproxy"], patch=["usr/sbin/haproxy"])
    return folder / "usr" / "sbin" / "haproxy"


def version(binary: Path) -> str:
    """Return what the binary says it is, e.g. "2.6.12"."""
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+[^-\s]*)", said)
    assert found, f"{binary} -v says no version: {said!r}"
    return found[1]
