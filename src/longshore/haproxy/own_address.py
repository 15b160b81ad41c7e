"""Whether an address is one of this machine's, without a list of its interfaces."""

from __future__ import annotations

import ipaddress
import socket


def own_address(address: str) -> bool:
    """Whether what is sent to an IP address stays on this machine. Nothing is sent: the kernel's routes are asked.

    The kernel takes the destination itself as the source of what goes to one of its own addresses.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if found.is_loopback:
        return True
    with socket.socket(socket.AF_INET6 if found.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((address, 9))
            return ipaddress.ip_address(asking.getsockname()[0].partition("%")[0]) == found
        except OSError:
            return False
