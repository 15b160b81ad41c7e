"""Real Compose v2 against an engine of the lab: Debian's `docker-compose` of trixie, which needs no installation."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab import packages
from tests.lab.container import Container
from tests.lab.engine import WEB, Engine


def binary() -> Path:
    """Return the Compose program, fetched on first use."""
    folder = packages.tree("compose", "trixie", ["docker-compose"])
    return folder / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"


def plugins() -> Path:
    """Return a folder for DOCKER_CONFIG with which `docker compose` is that program."""
    return binary().parents[1]


class Compose:
    """One Compose project. `services` is what its file says below `services:`; the web image is the default."""

    def __init__(self, engine: Engine, folder: Path, name: str, services: Mapping[str, Mapping[str, Any]]) -> None:
        self.engine = engine
        self.name = name
        self.file = folder / "compose.yaml"
        self.write(services)

    def write(self, services: Mapping[str, Mapping[str, Any]], **more: Any) -> None:
        """Write the file anew; `more` are its other sections, like networks."""
        defaults = {"image": WEB, "pull_policy": "never"}
        full = {key: {**defaults, **value} for key, value in services.items()}
        document = {"name": self.name, "services": full, **more}
        self.file.write_text(json.dumps(document, indent=2))  # JSON is YAML

    def __call__(self, *arguments: str) -> str:
        """Run `docker compose` with these arguments and return what it printed."""
        command = [str(binary()), "--project-directory", str(self.file.parent), "--file", str(self.file), *arguments]
        env = {**os.environ, "DOCKER_HOST": self.engine.host, "COMPOSE_ANSI": "never"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"docker compose {' '.join(arguments)}: exit {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def up(self, **scale: int) -> None:
        """Bring the project up, with so many copies of each service."""
        scaled = [word for service, count in scale.items() for word in ("--scale", f"{service}={count}")]
        self("up", "--detach", *scaled)

    def containers(self, service: str) -> list[Container]:
        """Return the containers of one service, by their number."""
        names = self("ps", "--all", "--format", "{{.Name}}", service).split()
        return sorted((each for each in self.engine.containers() if each.name in names), key=lambda each: each.name)
