"""Find out before HAProxy does whether an address can be listened on, and if not, who is in the way.

HAProxy binds with SO_REUSEPORT: next to another program that does the same, such as a second HAProxy, it would start
without a word and get every other connection. So the address is tried without that option, and released at once.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longshore.haproxy.faults import BusyAddress

_LISTEN = "0A"  # state of a listening socket in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class _Bind:
    """One address to listen on: `host` is "0.0.0.0", "::" or an address of this machine."""

    text: str
    family: socket.AddressFamily
    host: str
    port: int
    only_v6: bool = False


def binds_of(config: str) -> tuple[str, ...]:
    """Return the addresses of all `bind` lines of a configuration, with `v6only` kept: ":80", "[::]:80 v6only"."""
    found = []
    for line in config.splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) > 1 and words[0] == "bind":
            found += [each + (" v6only" if "v6only" in words else "") for each in words[1].strip('"').split(",")]
    return tuple(dict.fromkeys(found))


def busy(binds: Iterable[str], ours: Collection[int] = (), *, low: bool = False) -> list[BusyAddress]:
    """Try every address; answer with those that cannot be listened on, and why.

    `ours` are pids whose listeners do not count: the HAProxy that is to be reloaded or replaced.
    `low`: HAProxy may have ports below 1024, though we may not.
    """
    tried = (_tried(bind, frozenset(ours), low) for bind in map(_parsed, binds) if bind)
    return [found for found in tried if found]


def _tried(bind: _Bind, ours: frozenset[int], low: bool) -> BusyAddress | None:
    with socket.socket(bind.family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what merely waits in TIME_WAIT is free
        if bind.only_v6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            trial.bind((bind.host, bind.port))
            return None
        except OSError as error:
            code = error.errno
    if code == errno.EADDRINUSE:
        return _taken(bind, ours)
    if code in (errno.EACCES, errno.EPERM):
        if low:
            return _taken(bind, ours) if any(_listeners(bind)) else None
        return BusyAddress(
            bind.text,
            f"only root may listen on port {bind.port}",
            "run as root, use a port from 1024 on, or lower sysctl net.ipv4.ip_unprivileged_port_start",
        )
    if code == errno.EADDRNOTAVAIL:
        return BusyAddress(bind.text, f"{bind.host} is no address of this machine", "see `ip address`")
    return BusyAddress(bind.text, os.strerror(code or 0))


def _taken(bind: _Bind, ours: frozenset[int]) -> BusyAddress | None:
    inodes = set(_listeners(bind))
    owners = sorted(_owners(inodes))
    if inodes and owners and {pid for pid, _ in owners} <= ours and {i for _, i in owners} >= inodes:
        return None
    strangers = [pid for pid, _ in owners if pid not in ours]
    if not strangers:
        return BusyAddress(
            bind.text, "another program listens there already", f"find it: ss -ltnp 'sport = :{bind.port}'"
        )
    pid, name = strangers[0], _program(strangers[0])
    return BusyAddress(
        bind.text, f"{name} (pid {pid}) listens there already", "stop it, or choose another address", pid, name
    )


def _listeners(bind: _Bind) -> Iterator[str]:
    """Inodes of listening sockets that stand in the way of an address."""
    wanted = ipaddress.ip_address(bind.host)
    for table in ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            address, _, port = words[1].rpartition(":")
            if words[3] == _LISTEN and int(port, 16) == bind.port and _overlap(wanted, _address(address)):
                yield words[9]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address of /proc/net/tcp{,6}: words of 32 bits in the machine's byte order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address


def _overlap(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> bool:
    """Whether two listeners on one port compete; a wildcard of IPv6 may take IPv4 as well."""
    if one.version == other.version:
        return one == other or one.is_unspecified or other.is_unspecified
    six = one if one.version == 6 else other
    return six.is_unspecified


def _owners(inodes: set[str]) -> Iterator[tuple[int, str]]:
    """(pid, inode) of every process that holds one of these sockets, as far as we may look."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:
            continue  # not ours to see, or gone
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if inode := links.get(str(descriptor.readlink())):
                    yield int(process.name), inode


def _program(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a program"
    title = words[0].decode("utf-8", "replace")
    return title[:80] if title.startswith(name + ":") else name


def _parsed(text: str) -> _Bind | None:
    """Read an address as HAProxy does; None for what is no TCP address with a port: sockets, descriptors, QUIC."""
    address, _, option = text.partition(" ")
    kind, at, rest = address.rpartition("@")
    if at and kind not in ("ipv4", "ipv6"):
        return None
    host, colon, port = rest.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536 or rest.startswith("/"):
        return None
    host = host.removeprefix("[").removesuffix("]")
    if host in ("", "*"):
        host = "::" if kind == "ipv6" else "0.0.0.0"  # noqa: S104 - the operator's own wish
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None  # a name: HAProxy resolves it
    if version == 6:
        return _Bind(address, socket.AF_INET6, host, int(port), only_v6=bool(option))
    return _Bind(address, socket.AF_INET, host, int(port))
