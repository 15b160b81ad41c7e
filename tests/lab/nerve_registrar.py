"""A real `longshore register --nerve`, with a configuration of Nerve's, and a watcher of what stands in ZooKeeper.

with NerveRegistrar({"web": nerve_service(zookeeper, web)}) as registrar:
    registrar.until_held("web", 1)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Self

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from tests.lab.registrar import Registrar
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

INSTANCE = "i-1.example.com"


def nerve_service(zookeeper: ZooKeeper, web: Web, **more: Any) -> dict[str, Any]:
    """A service as Nerve's files say it; `...` leaves a key out."""
    said: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": web.port,
        "zk_hosts": zookeeper.hosts,
        "zk_path": "/nerve/services/web/services",
        "check_interval": 0.1,
        "checks": [{"type": "http", "uri": "/health", "timeout": 5}],
    }
    return {key: value for key, value in {**said, **more}.items() if value is not ...}


class NerveRegistrar(Registrar):
    """One registrar; `top` are further keys of the main file. A lease or session is `ttl` long, for quick tests."""

    def __init__(self, services: Mapping[str, Any], *options: str, ttl: str = "", **top: Any) -> None:
        super().__init__(sources={})
        self.file = self.folder / "nerve.conf.json"
        self.say(services, **top)
        self._options = options
        self._env |= {"LONGSHORE_STATE_DIR": str(self.state)} | ({"LONGSHORE_REGISTER_TTL": ttl} if ttl else {})

    def say(self, services: Mapping[str, Any], **top: Any) -> None:
        """Write the main file; the registrar is not told."""
        said = {"instance_id": INSTANCE, "services": services, **top}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(said, indent=1))
        fresh.replace(self.file)

    def _arguments(self) -> list[Any]:
        return ["--nerve", self.file, *self._options]


class Watcher:
    """Watches a folder of ZooKeeper as Synapse does: every list of entries that its watches told, in their order."""

    def __init__(self, zookeeper: ZooKeeper, folder: str) -> None:
        self._client = KazooClient(",".join(zookeeper.hosts), timeout=20)
        self._folder = folder
        self._ended = threading.Event()
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seen: list[dict[str, bytes]] = []  # by name of the node

    def __enter__(self) -> Self:
        """Begin to watch; the first list is known."""
        self._client.start(timeout=30)
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._ended.set()
        self._again.set()
        self._thread.join()
        self._client.stop()
        self._client.close()

    def addresses(self) -> list[list[tuple[str, int]]]:
        """The addresses of every list."""
        documents = [[json.loads(value) for value in seen.values()] for seen in self.seen]
        return [sorted((each["host"], each["port"]) for each in seen) for seen in documents]

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._again.wait(0.02)  # and now and then by itself: watches tell only that something changed
            self._again.clear()
            self._look()

    def _look(self) -> None:
        found = dict[str, bytes]()
        for name in self._client.get_children(self._folder, watch=lambda _: self._again.set()):
            try:
                found[name] = self._client.get(f"{self._folder}/{name}")[0]
            except NoNodeError:
                return  # it went while we looked: the list is out of date, and the watch has fired
        if not self.seen or self.seen[-1] != found:
            self.seen.append(found)
