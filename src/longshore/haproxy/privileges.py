"""What HAProxy may and longshore may not: ports below 1024, by the capability of HAProxy's file (capabilities(7)).

The image is made so: nobody in it is root, and only HAProxy's program carries CAP_NET_BIND_SERVICE.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

NET_BIND_SERVICE = 1 << 10  # linux/capability.h


def may_take_low_ports(binary: str, status: Path = Path("/proc/self/status")) -> bool:
    """Tell whether the program at `binary`, started by us, may listen on every port."""
    try:
        carried = os.getxattr(binary, "security.capability")
        said = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
    except OSError:
        return False
    _, permitted = struct.unpack_from("<II", carried)  # struct vfs_cap_data: revision and flags, then sets of 32 bits
    bounds = int(said.get("CapBnd", "0"), 16)
    return said.get("NoNewPrivs", "0") == "0" and bool(permitted & bounds & NET_BIND_SERVICE)
