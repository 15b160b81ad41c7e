"""A stand-in for Nerve: checks each service by HTTP, and keeps an ephemeral sequential node while it is well.

    python -m tests.lab.nerve -c nerve.conf.json

Nodes and values are written as Nerve writes them: `<zk_path>/<instance_id>_` with {"host","port","name"}. Before each
check it looks whether its node is there, and makes another if not, as Nerve 0.6.0 to 0.8.1 do (`ping?` and `zk_save` of
nerve/reporter/zookeeper.rb, `check_and_report` of nerve/service_watcher.rb). On SIGTERM it removes its own nodes.
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


class Reporter:
    """One service's node."""

    def __init__(self, client: KazooClient, service: dict[str, Any], instance: str) -> None:
        entry = {"host": service["host"], "port": service["port"], "name": instance}
        self._client = client
        self._stem = f"{service['zk_path']}/{instance}_"
        self._value = json.dumps(entry, separators=(",", ":")).encode()
        self._path = ""

    def is_there(self) -> bool:
        """Whether its node is, or else the registry."""
        return self._client.exists(self._path or "/") is not None

    def up(self) -> None:
        """Write the node, or another if it is gone."""
        with suppress(NoNodeError):
            if self._path:
                self._client.set(self._path, self._value)
                return
        self._path = self._client.create(self._stem, self._value, ephemeral=True, sequence=True, makepath=True)

    def down(self) -> None:
        """Remove it."""
        with suppress(NoNodeError):
            if self._path:
                self._client.delete(self._path)
        self._path = ""


def main(path: Path) -> None:
    """Report until SIGTERM."""
    config = json.loads(path.read_text())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    clients: dict[str, KazooClient] = {}
    reporters: dict[str, Reporter] = {}
    was: dict[str, bool | None] = {}
    while not ended.wait(0.2):
        for name, service in config["services"].items():
            hosts = ",".join(service["zk_hosts"])
            if hosts not in clients:
                clients[hosts] = KazooClient(hosts)
                clients[hosts].start()
            reporter = reporters.setdefault(name, Reporter(clients[hosts], service, config["instance_id"]))
            if not reporter.is_there():
                was[name] = None
            good = well(service)
            if good != was.get(name):
                reporter.up() if good else reporter.down()
                was[name] = good
    for reporter in reporters.values():
        reporter.down()
    for client in clients.values():
        client.stop()


if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("-c") + 1]))
