"""Stand-ins for docker-register and docker-discover, by etcd's API v2 as they did it.

    python -m tests.lab.docker_register register ENGINE    HOST_IP, ETCD_HOST: writes what publishes one port, TTL 15
    python -m tests.lab.docker_register discover HAPROXY.CFG PIDFILE    ETCD_HOST: a TCP port for each image

(docker-register's etcd.tmpl; docker-discover's main.py, haproxy.cfg.tmpl and reload-haproxy.sh, with a `bind` line as
today's HAProxy wants it)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab.engine_api import EngineApi

EVERY = 1.0
HEAD = """\
global
    daemon
    maxconn 4096
    pidfile {pidfile}

defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    option redispatch
    balance roundrobin

listen stats
    bind :1936
    mode http
    stats enable
    stats hide-version
    stats uri /
"""


def ask(method: str, key: str, **fields: object) -> Any:
    """One request to the keys of API v2."""
    body = urllib.parse.urlencode(fields).encode() if fields else None
    request = urllib.request.Request(f"http://{os.environ['ETCD_HOST']}/v2/keys{key}", body, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def register(engine: str) -> None:
    """Write every container with exactly one port that is published. Endless."""
    api = EngineApi(Path(engine))
    while True:
        for container in api.get("/containers/json"):
            ports = {(port["PrivatePort"], port["PublicPort"]) for port in container["Ports"] if "PublicPort" in port}
            if len(ports) == 1:
                ((private, public),) = ports
                folder = f"/backends/{container['Image'].partition(':')[0]}"
                ask("PUT", f"{folder}/{container['Id'][:12]}", value=f"{os.environ['HOST_IP']}:{public}", ttl=15)
                ask("PUT", f"{folder}/port", value=private, ttl=15)
        time.sleep(EVERY)


def services() -> dict[str, dict[str, str]]:
    """What is registered: service -> key -> value."""
    found: dict[str, dict[str, str]] = {}
    for folder in ask("GET", "/backends?recursive=true")["node"].get("nodes", []):
        for node in folder.get("nodes", []):
            _, _, service, key = node["key"].split("/")
            found.setdefault(service, {})[key] = node["value"]
    return found


def discover(config: Path, pidfile: Path) -> None:
    """Write haproxy.cfg and reload, whenever something changed. Endless."""
    current: dict[str, dict[str, str]] = {}
    while True:
        with suppress(OSError):
            found = services()
            if found and found != current:
                text = HEAD.format(pidfile=pidfile)
                for service, entries in found.items():
                    text += f"\nlisten {service}\n    bind *:{entries['port']}\n"
                    for name, address in entries.items():
                        if name != "port":
                            text += f"    server {name} {address} check inter 2s rise 3 fall 2\n"
                config.write_text(text)
                old = ["-sf", *pidfile.read_text().split()] if pidfile.exists() else []
                subprocess.run(["haproxy", "-f", config, "-p", pidfile, *old], check=True)
                current = found
        time.sleep(EVERY)


if __name__ == "__main__":
    if sys.argv[1] == "register":
        register(sys.argv[2])
    else:
        discover(Path(sys.argv[2]), Path(sys.argv[3]))
