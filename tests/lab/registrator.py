"""A stand-in for registrator with Consul: registers every published port of what runs, by the agent's API, and stays.

    python -m tests.lab.registrator ENGINE CONSUL IP

IDs are `host:container:port`; a service is named by its image. It registers at its start, as registrator does without
`-resync`, and removes nothing when it ends. (registrator's bridge/bridge.go, consul/consul.go)
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.request
from pathlib import Path

from tests.lab.engine_api import EngineApi


def main(engine: str, consul: str, ip: str) -> None:
    """Register, and wait for the end."""
    for container in EngineApi(Path(engine)).get("/containers/json"):
        name = container["Names"][0][1:]
        for port in container["Ports"]:
            if "PublicPort" not in port:
                continue
            service = {
                "ID": f"{socket.gethostname()}:{name}:{port['PrivatePort']}",
                "Name": container["Image"].partition(":")[0],
                "Port": port["PublicPort"],
                "Address": ip,
                "Tags": [],
                "Meta": {},
            }
            request = urllib.request.Request(
                f"http://{consul}/v1/agent/service/register", json.dumps(service).encode(), method="PUT"
            )
            with urllib.request.urlopen(request, timeout=5):
                pass
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
