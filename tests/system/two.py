"""Two HAProxys on one port: ours beside another longshore's, or beside one that somebody started by hand."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.balancer import Balancer
from tests.lab.haproxy import haproxy
from tests.lab.waiting import until

WEB = {"longshore.service": "web", "longshore.host": "web.test"}
SHARE = ("--share-ports",)
THEIRS = """\
global
    stats socket {folder}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option idle-close-on-response
frontend theirs
    bind :{port}
    default_backend web
backend web
    server one {server}
"""


def shared(balancer: Balancer) -> list[str]:
    return [each["state"] for each in balancer.status()["haproxy"]["shared"]]


@contextlib.contextmanager
def theirs(folder: Path, series: str, port: int, server: str) -> Iterator[subprocess.Popen[bytes]]:
    """A HAProxy that somebody started by hand, with a plain configuration."""
    config = folder / "haproxy.cfg"
    config.write_text(THEIRS.format(folder=folder, port=port, server=server))
    process = subprocess.Popen([haproxy(series), "-W", "-f", config])
    try:
        until((folder / "haproxy.sock").exists, what="their HAProxy runs")
        yield process
    finally:
        process.terminate()
        process.wait(30)
