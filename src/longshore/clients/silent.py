"""Connections on which the other side is silent: found, and cut, by asking the kernel (Linux: sock_diag, netlink).

A machine that lost its power closes nothing. What is sent to it is sent again and again, for a quarter of an hour; only
the kernel knows that nothing has come back. `silent` lists the connections of which so many repetitions in a row were
not acknowledged; a program that is merely slow acknowledges, by its kernel. `cut` ends one: its owner is told at once,
as if the other side had.

Source of protocol facts: Linux, include/uapi/linux/inet_diag.h, sock_diag.h, netlink.h; sock_diag(7). Cutting takes
CAP_NET_ADMIN and a kernel with CONFIG_INET_DIAG_DESTROY, which Debian's has.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_SOCK_DIAG = 4
BY_FAMILY, DESTROY = 20, 21
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
ERROR, DONE = 2, 3
ESTABLISHED = 1 << 1
RETRANSMITTING = 1
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBBI")  # inet_diag_req_v2 up to the socket: family, protocol, extensions, -, states
_ADDRESSES = struct.Struct("!HH16s16s")  # inet_diag_sockid: ports and addresses; interface and cookie follow
_REST = struct.Struct("=IIIII")  # inet_diag_msg after it: expires, receive queue, send queue, uid, inode
_SOCKID = 48
_HEAD = 4  # family, state, timer, repetitions
MESSAGE = _HEAD + _SOCKID + _REST.size


class UnavailableError(OSError):
    """This kernel does not tell, or does not let us."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection; `inode` tells it from all others, and whose it is."""

    address: str
    port: int
    repeats: int  # how often in a row the same was sent again
    inode: int
    family: int
    identity: bytes  # what the kernel calls it


def silent(repeats: int) -> list[Connection]:
    """Give the TCP connections of this network on which so many repetitions were not acknowledged."""
    found: list[Connection] = []
    with _netlink() as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, ESTABLISHED) + bytes(_SOCKID)
            kernel.send(_HEADER.pack(_HEADER.size + len(body), BY_FAMILY, REQUEST | DUMP, 1, 0) + body)
            found += [
                _read(message)
                for message in _messages(kernel)
                if message[2] == RETRANSMITTING and message[3] >= repeats
            ]
    return found


def cut(connection: Connection) -> None:
    """End a connection: who has it open is told that it was aborted."""
    body = _REQUEST.pack(connection.family, socket.IPPROTO_TCP, 0, 0, ESTABLISHED) + connection.identity
    with _netlink() as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), DESTROY, REQUEST | ACK, 1, 0) + body)
        for _ in _messages(kernel, acknowledged=True):
            pass


@contextlib.contextmanager
def _netlink() -> Iterator[socket.socket]:
    try:
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG)
    except (OSError, AttributeError) as error:
        what = f"the kernel tells nothing about connections: {error}"
        raise UnavailableError(getattr(error, "errno", None) or errno.ENOTSUP, what) from error
    with kernel:
        kernel.settimeout(5)
        kernel.bind((0, 0))
        yield kernel


def _messages(kernel: socket.socket, *, acknowledged: bool = False) -> Iterator[bytes]:
    """Give what the kernel answers, up to its last word."""
    while True:
        data = kernel.recv(1 << 18)
        place = 0
        while place + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, place)
            body = data[place + _HEADER.size : place + length]
            place += (length + 3) & ~3
            if kind == ERROR:
                number = -int(struct.unpack_from("=i", body)[0])
                if number in (0, errno.ENOENT):  # an acknowledgement; gone meanwhile
                    return
                raise UnavailableError(number, "the kernel refuses: " + errno.errorcode.get(number, str(number)))
            if kind == DONE:
                return
            if not acknowledged and len(body) >= MESSAGE:
                yield body


def _read(message: bytes) -> Connection:
    family = message[0]
    identity = message[_HEAD : _HEAD + _SOCKID]
    _, port, _, there = _ADDRESSES.unpack_from(identity)
    *_, inode = _REST.unpack_from(message, _HEAD + _SOCKID)
    address = socket.inet_ntop(family, there[: 4 if family == socket.AF_INET else 16])
    return Connection(address.removeprefix("::ffff:"), port, message[3], inode, family, identity)
