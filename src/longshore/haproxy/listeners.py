"""Who listens on this machine's TCP ports, as the kernel tells everybody (proc_pid_net(5): /proc/net/tcp, tcp6)."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"  # state of a listening socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket of the machine, or of this network namespace."""

    address: Address
    port: int
    uid: int  # of who made it
    inode: str
    version: int  # of IP: 6 may serve both


def listeners() -> Iterator[Listener]:
    """Every listening TCP socket. The tables begin with them, however many connections follow."""
    for table, version in (("tcp", 4), ("tcp6", 6)):
        try:
            with Path("/proc/net", table).open(encoding="ascii") as rows:
                next(rows, None)
                for row in rows:
                    words = row.split()
                    if words[3] != _LISTEN:
                        break
                    address, _, port = words[1].rpartition(":")
                    yield Listener(_address(address), int(port, 16), int(words[7]), words[9], version)
        except OSError:
            continue


def _address(text: str) -> Address:
    """Read an address of these tables: words of 32 bits in the machine's byte order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address
