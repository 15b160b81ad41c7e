"""Free TCP ports for tests that run side by side: nobody is given a port that another test process holds."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 20000, 29999  # below the range from which the kernel takes ports for outgoing connections


def free(count: int = 1) -> int:
    """Return a port (the first of `count` consecutive ones) that nothing listens on and no other test process has.

    Each is held by a lock on a small file until this process ends, so it is never given twice.
    """
    folder = Path(tempfile.gettempdir()) / f"longshore-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    start = FIRST + os.getpid() * 37 % (LAST - FIRST)
    run = 0
    for step in range(2 * (LAST - FIRST)):
        port = FIRST + (start - FIRST + step) % (LAST - FIRST)
        run = run + 1 if port > FIRST and _take(folder, port) else 0
        if run == count:
            return port - count + 1
    raise OSError(f"no {count} free ports between {FIRST} and {LAST}")


def _take(folder: Path, port: int) -> bool:
    with socket.socket(socket.AF_INET6) as six, socket.socket() as four:
        try:
            four.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            four.bind(("0.0.0.0", port))
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            six.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            six.bind(("::", port))
        except OSError:
            return False
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    return True  # the lock stays open, and so held, until this process ends
