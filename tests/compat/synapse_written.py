"""Synapse configurations for tests: written as JSON, read, validated as ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.compat.synapse import read
from longshore.config import Loaded, load
from longshore.config.document import Document

HAPROXY: dict[str, Any] = {"global": [], "defaults": ["mode http"], "reload_command": "r", "config_file_path": "c"}
STUB = {"method": "base"}
SERVERS = [{"name": "one", "host": "10.0.0.1", "port": 80}]
ENSEMBLE = {"method": "zookeeper", "hosts": ["zk1:2181"], "path": "/nerve/services/web/services"}
DOCKER = {"method": "docker", "servers": [{"host": "e1"}], "image_name": "local/app", "container_port": 8000}
NAMES = {"method": "dns", "servers": [{"host": "web.test", "port": 80}], "nameserver": "10.0.0.2"}
MARATHON = {"method": "marathon", "marathon_api_url": "http://m1:8080", "application_name": "prod/web"}
EC2 = {"method": "ec2tag", "tag_name": "role", "tag_value": "web", "aws_region": "eu-west-1"}


@dataclass(frozen=True)
class Read:
    """What became of a configuration: our document, and what the validation made of it."""

    document: Document
    loaded: Loaded

    @property
    def service(self) -> Any:
        """The service `web`, {} if it was set aside."""
        return self.document.data.get("services", {}).get("web", {})

    @property
    def sources(self) -> Any:
        """All sources."""
        return self.document.data["sources"]

    @property
    def haproxy(self) -> Any:
        """The section haproxy."""
        return self.document.data.get("haproxy", {})

    @property
    def notes(self) -> list[str]:
        """Every note."""
        return [str(note) for note in self.document.notes]

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, wherever it was noticed."""
        return [str(problem) for problem in (*self.loaded.problems, *self.loaded.set_aside)]


def written(folder: Path, **sections: Any) -> Read:
    """Read a main file with these sections; `haproxy` and `services` may be left out."""
    path = folder / "synapse.conf.json"
    whole = {"services": {}, "haproxy": HAPROXY} | sections
    path.write_text(json.dumps(whole, indent=1))
    return result(path)


def web(folder: Path, discovery: Any = None, *, haproxy: Any = None, top: Any = None, **keys: Any) -> Read:
    """Read a file with the one service `web`."""
    service = keys | ({} if discovery is None else {"discovery": discovery}) | {"haproxy": haproxy or {"port": 8080}}
    return written(folder, services={"web": service}, haproxy=HAPROXY | (top or {}))


def result(path: Path, environ: Mapping[str, str] | None = None) -> Read:
    """Read what is at a path."""
    found = load(None, environ or {}, root=True, foreign=lambda: read(path, {}, root=True))
    return Read(read(path, {}, root=True), found)


def part(found: Any, expected: Any) -> bool:
    """Whether everything expected is there; what else is there does not matter. Lists must be equal in length."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(key in found and part(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(part, found, expected))
    return bool(found == expected)
