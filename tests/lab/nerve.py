"""A stand-in for Nerve: checks each service by HTTP, and keeps an ephemeral sequential node while it is well.

    python -m tests.lab.nerve -c nerve.conf.json

Nodes and values are written as Nerve writes them: `<zk_path>/<instance_id>_` with {"host","port","name"}
(nerve/reporter/zookeeper.rb), when a
service becomes well, and never again. On SIGTERM its session ends, and with it its nodes.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError


def well(service: dict[str, Any]) -> bool:
    """Whether its checks are passed."""
    for check in service["checks"]:
        url = f"http://{service['host']}:{service['port']}{check['uri']}"
        try:
            with urllib.request.urlopen(url, timeout=1):
                pass
        except OSError:
            return False
    return True


def main(path: Path) -> None:
    """Report until SIGTERM."""
    config = json.loads(path.read_text())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    clients: dict[str, KazooClient] = {}
    reported: dict[str, str] = {}
    while not ended.wait(0.2):
        for name, service in config["services"].items():
            hosts = ",".join(service["zk_hosts"])
            if hosts not in clients:
                clients[hosts] = KazooClient(hosts)
                clients[hosts].start()
            good = well(service)
            if good and name not in reported:
                entry = {"host": service["host"], "port": service["port"], "name": config["instance_id"]}
                node = f"{service['zk_path']}/{config['instance_id']}_"
                value = json.dumps(entry, separators=(",", ":")).encode()
                reported[name] = clients[hosts].create(node, value, ephemeral=True, sequence=True, makepath=True)
            elif not good and name in reported:
                with suppress(NoNodeError):
                    clients[hosts].delete(reported.pop(name))
    for client in clients.values():
        client.stop()


if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("-c") + 1]))
