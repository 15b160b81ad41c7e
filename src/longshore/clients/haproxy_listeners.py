"""The listening sockets themselves of a running HAProxy, as it hands them on to its own successor (`_getsocks`).

Not in HAProxy's manuals; this is what `sock_get_old_sockets()` in its src/sock.c does, the same from 2.6 to 3.4: the
command, answered by the number of sockets as a native int; then messages that carry at most 252 of them each
(SCM_RIGHTS, unix(7)), and each of which is acknowledged by the number received. The socket needs `expose-fd listeners`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from longshore.clients.haproxy_faults import UnreachableError, unreachable

_MOST = 253  # descriptors in one message, linux/include/net/scm.h
_INT = struct.Struct("=i")


def exposed(path: str, timeout: float = 5.0) -> list[socket.socket]:
    """Return duplicates of every listening TCP socket of the HAProxy behind the runtime socket `path`. Close them.

    Raises `UnreachableError` if it does not answer or does not hand them on.
    """
    found: list[int] = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(timeout)
            channel.connect(path)
            channel.sendall(b"_getsocks\n")
            count = channel.recv(_INT.size, socket.MSG_WAITALL)
            if len(count) != _INT.size:
                raise UnreachableError(
                    f"HAProxy does not hand on its listening sockets at {path}", "it needs `expose-fd listeners`"
                )
            while len(found) < _INT.unpack(count)[0]:
                said, descriptors, _, _ = socket.recv_fds(channel, 65536, _MOST)
                if not said:
                    break
                found += descriptors
                with contextlib.suppress(BrokenPipeError):  # after the last ones it does not wait
                    channel.sendall(_INT.pack(len(descriptors)))
    except OSError as error:
        _close(found)
        raise unreachable(path, error) from error
    sockets = [socket.socket(fileno=descriptor) for descriptor in found]
    for other in [each for each in sockets if each.family not in (socket.AF_INET, socket.AF_INET6)]:
        sockets.remove(other)
        other.close()
    return sockets


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
