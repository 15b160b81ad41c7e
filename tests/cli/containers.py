"""Containers as `docker inspect` prints them, cut down to what matters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def inspected(name: str, labels: dict[str, str], address: str = "172.18.0.2", port: int = 8000) -> dict[str, Any]:
    """One running container with one exposed port in the network shop_default."""
    return {
        "Id": hashlib.sha256(name.encode()).hexdigest(),
        "Name": f"/{name}",
        "Created": "2026-01-01T00:00:00Z",
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:01Z"},
        "Config": {"Image": "local/web", "Labels": labels, "Env": [], "ExposedPorts": {f"{port}/tcp": {}}},
        "HostConfig": {"NetworkMode": "shop_default"},
        "NetworkSettings": {
            "Ports": {f"{port}/tcp": None},
            "Networks": {"shop_default": {"NetworkID": "ab" * 32, "IPAddress": address, "GlobalIPv6Address": ""}},
        },
    }


def shop(folder: Path) -> Path:
    """A snapshot of two copies of a web service, and a container that is no business of ours."""
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    return write(
        folder,
        [
            inspected("shop-web-1", compose | {"longshore.host": "shop.test"}, "172.18.0.2"),
            inspected("shop-web-2", compose | {"longshore.host": "shop.test"}, "172.18.0.3"),
            inspected("other", {}, "172.18.0.4"),
        ],
    )


def write(folder: Path, documents: Any) -> Path:
    """Write a snapshot file."""
    path = folder / "snapshot.json"
    path.write_text(json.dumps(documents))
    return path
