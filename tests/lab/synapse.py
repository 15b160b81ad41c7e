"""A stand-in for Synapse: finds services in ZooKeeper, writes haproxy.cfg as Synapse does, reloads by its command.

Of its kinds of discovery it knows `zookeeper` and `base`, which is what the tests of docs/migrate need.
Entries with the same host, port and name are one (service_watcher/base/base.rb, set_backends). Servers are written as
in config_generator/haproxy.rb: `server NAME HOST:PORT id K OPTIONS`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient

EVERY = 0.3


class Synapse:
    """One run of it."""

    def __init__(self, path: Path) -> None:
        self.file = json.loads(path.read_text())
        self._clients: dict[str, KazooClient] = {}
        self._written = ""

    def run(self) -> None:
        """Look again and again. Endless."""
        haproxy = self.file["haproxy"]
        while True:
            text = self.config({name: self.found(each) for name, each in self.file["services"].items()})
            if text != self._written:
                Path(haproxy["config_file_path"]).write_text(text)
                self._written = text
                if haproxy.get("do_reloads", True):
                    subprocess.run(haproxy["reload_command"], shell=True, check=False)
            time.sleep(EVERY)

    def found(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        """The endpoints of a service, in the order of their nodes."""
        discovery = service["discovery"]
        if discovery["method"] == "base":
            return list(service["default_servers"])
        hosts = ",".join(discovery["hosts"])
        if hosts not in self._clients:
            self._clients[hosts] = KazooClient(hosts)
            self._clients[hosts].start()
        client, path = self._clients[hosts], discovery["path"]
        children = sorted(client.get_children(path)) if client.exists(path) else []
        nodes = [json.loads(client.get(f"{path}/{child}")[0]) for child in children]
        return list({(node["host"], node["port"], node.get("name", "")): node for node in nodes}.values())

    def config(self, found: dict[str, list[dict[str, Any]]]) -> str:
        """The whole haproxy.cfg."""
        haproxy = self.file["haproxy"]
        sections: dict[str, list[str]] = {"global": haproxy["global"], "defaults": haproxy["defaults"]}
        sections |= haproxy.get("extra_sections", {})
        for name, service in self.file["services"].items():
            own = service["haproxy"]
            mode = [line for line in own.get("listen", []) if line.startswith("mode ")]
            if "port" in own:
                bind = f"bind {own.get('bind_address', 'localhost')}:{own['port']}"
                sections[f"frontend {name}"] = [*mode, *own.get("frontend", []), bind, f"default_backend {name}"]
            options = own.get("server_options", "")
            servers = []
            for number, each in enumerate(found[name], 1):
                place = f"{each['host']}:{each['port']}"
                servers.append(f"server {each['name']}_{place} {place} id {number} {options}")
            sections[f"backend {name}"] = [*own.get("listen", []), *own.get("backend", []), *servers]
        return "".join(
            "\n".join([f"\n{title}", *(f"\t{line}" for line in lines), ""]) for title, lines in sections.items()
        )


if __name__ == "__main__":
    Synapse(Path(sys.argv[sys.argv.index("-c") + 1])).run()
