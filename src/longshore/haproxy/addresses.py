"""Find out before HAProxy does whether an address can be listened on, and if not, who is in the way.

HAProxy binds with SO_REUSEPORT: next to another program that does the same, such as a second HAProxy, it would start
without a word and get every other connection. So the address is tried without that option, and released at once. Who
wants to listen beside another one all the same (`share`) is told which addresses that other one shares.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from longshore.haproxy.faults import BusyAddress
from longshore.haproxy.listeners import Address, Listener, listeners


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


def busy(
    binds: Iterable[str], ours: Collection[int] = (), *, low: bool = False, share: bool = False
) -> list[BusyAddress]:
    """Try every address; answer with those that cannot be listened on, and why.

    `ours` are pids whose listeners do not count: the HAProxy that is to be reloaded or replaced.
    `low`: HAProxy may have ports below 1024, though we may not.
    `share`: addresses that HAProxy could have beside the one who has them are `shared`.
    """
    tried = (_tried(bind, frozenset(ours), low) for bind in map(_parsed, binds) if bind)
    found = [(bind, each) for bind, each in tried if each]
    return [replace(each, shared=share and each.taken and _may_share(bind, low)) for bind, each in found]


def _tried(bind: _Bind, ours: frozenset[int], low: bool) -> tuple[_Bind, BusyAddress | None]:
    return bind, _why_not(bind, ours, low)


def _why_not(bind: _Bind, ours: frozenset[int], low: bool) -> BusyAddress | None:
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
            return _taken(bind, ours) if any(_in_the_way(bind)) else None
        return BusyAddress(
            bind.text,
            f"only root may listen on port {bind.port}",
            "run as root, use a port from 1024 on, or lower sysctl net.ipv4.ip_unprivileged_port_start",
        )
    if code == errno.EADDRNOTAVAIL:
        return BusyAddress(bind.text, f"{bind.host} is no address of this machine", "see `ip address`")
    return BusyAddress(bind.text, os.strerror(code or 0))


def _taken(bind: _Bind, ours: frozenset[int]) -> BusyAddress | None:
    inodes = {each.inode for each in _in_the_way(bind)}
    owners = sorted(_owners(inodes))
    if inodes and owners and {pid for pid, _ in owners} <= ours and {i for _, i in owners} >= inodes:
        return None
    strangers = [pid for pid, _ in owners if pid not in ours]
    if not strangers:
        return BusyAddress(
            bind.text,
            "another program listens there already",
            f"find it: ss -ltnp 'sport = :{bind.port}'",
            taken=True,
        )
    pid, name = strangers[0], _program(strangers[0])
    what, hint = f"{name} (pid {pid}) listens there already", "stop it, or choose another address"
    return BusyAddress(bind.text, what, hint, pid, name, taken=True)


def _may_share(bind: _Bind, low: bool) -> bool:
    """Whether those who listen there let others of the same user do so too (socket(7), SO_REUSEPORT)."""
    with socket.socket(bind.family, socket.SOCK_STREAM) as trial:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            trial.setsockopt(socket.SOL_SOCKET, option, 1)
        if bind.only_v6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            trial.bind((bind.host, bind.port))
        except PermissionError:
            return low and {each.uid for each in _in_the_way(bind)} == {os.geteuid()}
        except OSError:
            return False
        return True


def _in_the_way(bind: _Bind) -> Iterator[Listener]:
    """Listening sockets that stand in the way of an address."""
    wanted = ipaddress.ip_address(bind.host)
    return (each for each in listeners() if each.port == bind.port and _overlap(wanted, each.address))


def _overlap(one: Address, other: Address) -> bool:
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
