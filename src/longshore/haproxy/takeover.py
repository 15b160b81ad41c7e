"""Two HAProxys listen on one port: have the kernel give all new connections to ours, so that the other may end.

The kernel divides new connections among all sockets that share a port (SO_REUSEPORT). What waits in the queue of one
that is closed is reset: 305 of 8,806 requests when the one that ended was busy for 0.3 s. A filter on such a group of
sockets chooses the socket by its number in the group instead, counted in the order in which they began to listen
(socket(7), SO_ATTACH_REUSEPORT_CBPF, since Linux 4.6; no privilege is needed). So we choose the last, which are ours:
the other's queue runs empty while it still accepts, and when it ends nothing waits there. When others end, the numbers
get lower; a number that does not exist leaves the choice to the kernel again, which then finds only us.

Since Linux 5.14, `net.ipv4.tcp_migrate_req=1` moves what waits instead (networking/ip-sysctl.rst): 0 of 8,867.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from longshore.clients.haproxy_listeners import exposed
from longshore.haproxy.listeners import Address, Listener, listeners

_ATTACH, _DETACH = 51, 68  # SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF (asm-generic/socket.h)
_RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM (linux/filter.h)
_LOAD, _MODULO, _ADD, _RETURN, _RETURN_A = 0x20, 0x94, 0x04, 0x06, 0x16  # linux/bpf_common.h

Name = tuple[int, Address, int]
"""What the sockets of a group have in common: version of IP, address, port."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A group in which ours are not alone."""

    host: Address
    port: int
    others: frozenset[str]  # inodes
    steered: bool  # new connections come to us

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.host.version == 6 else str(self.host)
        return f"{'' if self.host.is_unspecified else host}:{self.port}"


def take_over(path: str) -> tuple[Shared, ...]:
    """Choose the sockets of the HAProxy behind this runtime socket in every group that they share with others.

    To be called when ours were the last to begin to listen. Raises `UnreachableError` if HAProxy does not answer.
    """
    with _closing(exposed(path)) as ours:
        return choose(ours)


def let_go(path: str) -> None:
    """Leave the choice to the kernel again, wherever the sockets of the HAProxy behind this path are alone."""
    with _closing(exposed(path)) as ours:
        for sockets, others in _groups(ours):
            if not others:
                with contextlib.suppress(OSError):  # no filter there, or Linux older than 5.3: it chooses who is gone
                    sockets[0].setsockopt(socket.SOL_SOCKET, _DETACH, 0)


def choose(ours: Iterable[socket.socket]) -> tuple[Shared, ...]:
    """Choose these sockets in every group that they share with others."""
    return tuple(_choose(sockets, others) for sockets, others in _groups(ours) if others)


def still_there(inodes: Collection[str]) -> frozenset[str]:
    """Those of these sockets that still listen."""
    return frozenset(each.inode for each in listeners() if each.inode in inodes) if inodes else frozenset()


def _groups(ours: Iterable[socket.socket]) -> Iterable[tuple[list[socket.socket], list[Listener]]]:
    """Our sockets by what they listen on, each with the sockets of others in the same group."""
    named: dict[Name, list[socket.socket]] = {}
    for each in ours:
        host, port = each.getsockname()[:2]
        named.setdefault((4 if each.family == socket.AF_INET else 6, _address(host), port), []).append(each)
    mine = {str(os.fstat(each.fileno()).st_ino) for sockets in named.values() for each in sockets}
    strangers = [each for each in listeners() if each.inode not in mine]
    for name, sockets in named.items():
        yield sockets, [each for each in strangers if (each.version, each.address, each.port) == name]


def _choose(ours: list[socket.socket], others: list[Listener]) -> Shared:
    steps = _steps(len(others), len(ours))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", word, 0, 0, value) for word, value in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))  # struct sock_fprog, linux/filter.h
    try:
        ours[0].setsockopt(socket.SOL_SOCKET, _ATTACH, program)
        steered = True
    except OSError:
        steered = False  # the kernel goes on dividing them
    return Shared(others[0].address, others[0].port, frozenset(each.inode for each in others), steered)


def _steps(first: int, count: int) -> list[tuple[int, int]]:
    """Choose one of the numbers first … first + count - 1."""
    if count == 1:
        return [(_RETURN, first)]
    return [(_LOAD, _RANDOM), (_MODULO, count), (_ADD, first), (_RETURN_A, 0)]


@contextlib.contextmanager
def _closing(sockets: list[socket.socket]) -> Iterator[list[socket.socket]]:
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def _address(text: str) -> Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
