"""Nerve configurations for tests: written as JSON, read, validated as ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.compat.nerve import read
from longshore.config import Loaded, load
from longshore.config.document import Document

TCP = {"type": "tcp"}
SERVICE: dict[str, Any] = {
    "host": "10.0.0.5",
    "port": 3000,
    "zk_hosts": ["zk1:2181"],
    "zk_path": "/nerve/services/web/services",
    "checks": [TCP],
}
ETCD: dict[str, Any] = {
    "host": "10.0.0.5",
    "port": 3000,
    "reporter_type": "etcd",
    "etcd_host": "etcd1",
    "checks": [TCP],
}


@dataclass(frozen=True)
class Read:
    """What became of a configuration: our document, and what the validation made of it."""

    document: Document
    loaded: Loaded

    @property
    def register(self) -> Any:
        """Our section."""
        return self.document.data["register"]

    @property
    def service(self) -> Any:
        """The service `web`, {} if it was set aside."""
        return self.register["services"].get("web", {})

    @property
    def check(self) -> Any:
        """Its only check."""
        (check,) = self.service["checks"]
        return check

    @property
    def problems(self) -> list[str]:
        """What is wrong, without the folder."""
        return [self._told(problem) for problem in (*self.loaded.problems, *self.loaded.set_aside)]

    @property
    def notes(self) -> list[str]:
        """What was translated."""
        return [self._told(note) for note in self.loaded.notes]

    def _told(self, problem: object) -> str:
        return str(problem).replace(f"{Path(self.document.file).parent}/", "")


def wrote(path: Path, environ: Mapping[str, str] | None = None, **more: Any) -> Read:
    """Read what was written at a path."""
    environ = environ or {}
    document = read(path, environ, **more)
    return Read(document, load(None, environ, root=True, foreign=lambda: read(path, environ, **more)))


def web(folder: Path, service: Mapping[str, Any] = SERVICE, **keys: Any) -> Read:
    """Write and read a configuration with one service; keys that are `...` are left out."""
    said = {key: value for key, value in {**service, **keys}.items() if value is not ...}
    return top(folder, services={"web": said})


def top(folder: Path, environ: Mapping[str, str] | None = None, **keys: Any) -> Read:
    """Write and read a configuration with these keys."""
    said = {"instance_id": "i-1", "services": {"web": SERVICE}} | keys
    path = folder / "nerve.conf.json"
    path.write_text(json.dumps({key: value for key, value in said.items() if value is not ...}, indent=1))
    return wrote(path, environ)


def checked(folder: Path, **check: Any) -> Read:
    """Write and read a service with one check."""
    return web(folder, checks=[check])
