"""Requests that were sent to a machine which is not there any more are freed, so that HAProxy asks elsewhere.

A container that ends closes its connections, and HAProxy asks another one what it had not answered. A machine that lost
its power, or its cable, closes nothing: on a connection that was kept open, HAProxy would wait for `timeout server`, a
minute, and then give up. The kernel knows better (`clients.silent`): what it has sent five times, over six seconds,
without one sign of life from the other side's kernel is cut. To HAProxy that is a closed connection like any other.

This takes the right to do so (CAP_NET_ADMIN, which root has) in the network that HAProxy is in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from longshore.clients.silent import Connection, UnavailableError, cut, silent
from longshore.core.places import joined
from longshore.core.running import Running

LOOK = 1.0  # seconds
REPEATS = 5  # after 0.2, 0.6, 1.4, 3, 6.2 seconds, where answers come within milliseconds
CANNOT = "connections to a machine that does not answer cannot be cut"
HINT = "run longshore as root, or give it CAP_NET_ADMIN; until then such requests wait for `timeout`"


async def watch(running: Callable[[], Running | None], said: Callable[[str, str], object]) -> None:
    """Look for silent connections of HAProxy to its servers, for ever, and cut them."""
    refused, took = False, 0.0
    while True:
        await asyncio.sleep(max(LOOK, 50 * took))
        began = time.monotonic()
        try:
            found = await asyncio.to_thread(silent, REPEATS)
        except UnavailableError as error:
            said(CANNOT, f"{error.strerror}: {HINT}")
            await asyncio.Event().wait()  # no kernel of this kind: it will be no other
        took = time.monotonic() - began
        if not found or (mirror := running()) is None:
            continue
        servers = _servers(mirror)
        done = Counter[str]()
        try:
            mine = [each for each in found if (each.address, each.port) in servers]
            for connection in await asyncio.to_thread(_of_haproxy, mine):
                cut(connection)
                done[joined(connection.address, connection.port)] += 1
        except UnavailableError as error:
            if not refused:
                said(CANNOT, f"{error.strerror}: {HINT}")
            refused = True
        for place, count in done.items():
            said(f"{count} connections to {place} cut", "nothing at all came back on them for six seconds")


def _servers(running: Running) -> set[tuple[str, int]]:
    each = (server.server for backend in running.backends.values() for server in backend.servers.values())
    return {(server.address, server.port) for server in each}


def _of_haproxy(connections: list[Connection], processes: Path = Path("/proc")) -> list[Connection]:
    """Keep those that a HAProxy of this machine has open. Raises UnavailableError if one does not let itself be seen.

    That is so for one of another user, or with rights that we do not have.
    """
    if not connections:
        return []
    inodes = {f"socket:[{connection.inode}]": connection for connection in connections}
    found, hidden = [], False
    for process in processes.iterdir():
        try:
            if process.name.isdigit() and (process / "comm").read_text().startswith("haproxy"):
                for descriptor in (process / "fd").iterdir():
                    with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                        if (connection := inodes.pop(os.readlink(descriptor), None)) is not None:  # noqa: PTH115
                            found.append(connection)
        except PermissionError:
            hidden = True
        except OSError:
            continue  # ended meanwhile
    if hidden and not found:
        raise UnavailableError(errno.EACCES, "it cannot be seen which of them are HAProxy's")
    return found
