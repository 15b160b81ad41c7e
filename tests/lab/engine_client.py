"""What tests and the demo ask of an engine that runs, whoever started it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.lab import web
from tests.lab.container import Container
from tests.lab.engine_api import EngineApi

WEB = "lab/web:1"  # the web service, EXPOSE 8000
BARE = "lab/bare:1"  # the same without EXPOSE


class EngineClient:
    """An engine by its unix socket. `env` is the environment in which the docker command runs."""

    def __init__(self, socket: Path, env: Mapping[str, str] | None = None) -> None:
        self.socket = socket
        self.host = f"unix://{socket}"
        self.api = EngineApi(socket)
        self._env = {**os.environ, **(env or {})}

    def __repr__(self) -> str:
        """Say where it is."""
        return f"<{type(self).__name__} {self.host}>"

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the docker command against this engine and return what it printed."""
        done = subprocess.run(
            ["docker", "--host", self.host, *arguments], env=self._env, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def load(self, image: str, *changes: str) -> None:
        """Make the web service an image of that name, with Dockerfile instructions as `changes`."""
        instructions = ['ENTRYPOINT ["/bin/web"]', *changes]
        self.api.import_image(image, web.rootfs(), instructions)

    def run(
        self,
        name: str = "",
        *,
        image: str = WEB,
        labels: Mapping[str, object] | None = None,
        env: Mapping[str, object] | None = None,
        args: Iterable[str] = (),
        command: Iterable[str] = (),
    ) -> Container:
        """Start a container as `docker run -d` does; `args` are more of its options, e.g. ("-p", "8000")."""
        options = ["--name", name] if name else []
        options += [word for key, value in (labels or {}).items() for word in ("--label", f"{key}={value}")]
        options += [word for key, value in (env or {}).items() for word in ("--env", f"{key}={value}")]
        identity = self.docker("run", "-d", *options, *args, image, *command)
        return Container(self, identity, name or identity[:12])

    def containers(self) -> list[Container]:
        """Return all containers, running or not."""
        return [Container(self, each["Id"], each["Names"][0][1:]) for each in self.api.get("/containers/json?all=1")]
