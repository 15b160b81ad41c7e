"""A network of its own for a test process: its ports, bridges and firewall rules meet nobody else's.

`isolate()` moves the calling process into a new, empty network namespace with only loopback. All it starts afterwards
(engines, HAProxy, longshore, load) lives there too and reaches everything by the usual addresses. So test processes run
side by side, an engine of the machine is left in peace, and what is forgotten vanishes with the last process.
"""

from __future__ import annotations

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_before: int | None = None  # the namespace we came from, kept open for what needs the outside


def isolate() -> None:
    """Enter a new network namespace (once per process). Needs root."""
    global _before
    if _before is not None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET):
        os.close(before)
        reason = os.strerror(ctypes.get_errno())
        raise PermissionError(f"no network namespace of our own: {reason}. The system tests start engines: run as root")
    _before = before
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def outside() -> list[str]:
    """Return the words that run a command in the network this process was started in."""
    return [] if _before is None else ["nsenter", f"--net=/proc/{os.getpid()}/fd/{_before}"]
