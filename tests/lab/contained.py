"""A balancer in a container, which reaches only the networks that it is attached to; agents as a service of a Swarm.

The container has the programs of this machine (mounted read-only) and, at the same paths as here, the balancer's folder
and, if it shall, the engine's socket. What it listens on is published on the engine's machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.container import Container
from tests.lab.engine_client import BARE, EngineClient
from tests.lab.packages import CACHE
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]


def programs() -> list[Path]:
    """Give the folders of this machine that longshore and HAProxy need to run."""
    places = [Path(place) for place in ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ssl")]
    places += [REPOSITORY, CACHE, Path(sys.prefix), Path(sys.base_prefix)]
    return [place for place in dict.fromkeys(places) if place.exists()]


def run_agents(swarm: Swarm, token: str, *args: str) -> None:
    """Run `longshore agent` as a global service "agent" on the overlay network, with its token as a Swarm secret."""
    folder = swarm.manager.folder.parent
    (folder / "token").write_text(token)
    swarm.manager.docker("secret", "create", "longshore", str(folder / "token"))
    mounts = [f"type=bind,source={place},target={place},readonly" for place in programs()]
    mounts += [f"type=bind,source={folder}/{{{{.Node.Hostname}}}}/docker.sock,target=/var/run/docker.sock"]
    options = ["--mode", "global", "--secret", "longshore", "--entrypoint", f"{LONGSHORE} agent"]
    options += [word for mount in mounts for word in ("--mount", mount)]
    env = {"LONGSHORE_AGENT_TOKEN_FILE": "/run/secrets/longshore"}
    swarm.create("agent", *options, *args, image=BARE, env=env)


class BoxedBalancer(Balancer):
    """A `longshore up` in a container on `engine`, reached at `address`. With `socket` it may open the engine's.

    `files` are more files that it has, and where.
    """

    def __init__(
        self,
        engine: EngineClient,
        address: str,
        *,
        networks: Sequence[str],
        socket: bool = True,
        files: Mapping[Path, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(port=8080, **options)
        self.address = address
        self._engine = engine
        self._networks = list(networks)
        self._mounts = [f"{place}:{place}:ro" for place in programs()] + [f"{self.folder}:{self.folder}"]
        self._mounts += [f"{engine.socket.parent}:{engine.socket.parent}"] if socket else []
        self._mounts += [f"{file}:{place}:ro" for file, place in (files or {}).items()]
        self._container: Container | None = None
        self._said = ""

    def start(self, *, ready: bool = True) -> None:
        """Start the container; unless told otherwise, wait until HAProxy runs what the sources said."""
        command = ["up", "--config", str(self.config), *self._options]
        publish = ["-p", f"{self.port}:{self.port}", "--network", self._networks[0], "--entrypoint", str(LONGSHORE)]
        args = [*(word for mount in self._mounts for word in ("-v", mount)), "--tmpfs", "/tmp", *publish]
        self._container = self._engine.run(f"balancer-{self.folder.name}", image=BARE, args=args, command=command)
        for network in self._networks[1:]:
            self._engine.docker("network", "connect", network, self._container.id)
        if ready:
            until(self._is_ready, 60, "longshore is ready")

    def _is_ready(self) -> bool:
        assert self._container
        if self._container.status != "running":
            raise RuntimeError(f"longshore ended:\n{self.log_text()}")
        return bool(self.status()["ready"])

    def log_text(self) -> str:
        """Return what it printed so far."""
        if self._container is None:
            return self._said
        command = ["docker", "--host", self._engine.host, "logs", self._container.id]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout

    @property
    def pid(self) -> int:
        """The process id of longshore, as this machine sees it."""
        assert self._container, "longshore was not started"
        return self._container.pid

    def terminate(self) -> int:
        """Stop the container as `docker stop` does and return the exit code."""
        assert self._container, "longshore was not started"
        self._container.stop(40)
        code = int(self._container.inspect()["State"]["ExitCode"])
        self._end_container()
        return code

    def kill9(self) -> None:
        """Kill the container."""
        self._end_container()

    def _end_container(self) -> None:
        if self._container is not None:
            self._said = self.log_text()
            self._container.rm()
            self._container = None

    def close(self) -> None:
        """End the container and remove its folder."""
        self._end_container()
        super().close()
