"""A stack on the lab's Swarm, as `docker stack deploy` makes it of a file for people, with longshore's real image.

    load(swarm)
    with Stack(swarm, Path("deploy/swarm/dns.yaml"), "longshore") as stack:
        stack.balancer(swarm.nodes[1]).serves("web.localhost", 3)

There is no registry, so images are never looked up (`--resolve-image never`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from tests.lab.boxed import Boxed
from tests.lab.container import Container
from tests.lab.engine_client import BARE
from tests.lab.image import LONGSHORE, archive
from tests.lab.nodes import Node
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

STACK = "com.docker.stack.namespace"


def load(swarm: Swarm) -> None:
    """See that every node has the image of longshore."""
    image = str(archive())
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.docker("load", "--input", image), swarm.nodes))


class StackBalancer(Boxed):
    """The balancer of a stack on one node, reached at a port that is published there."""

    def __init__(self, node: Node, container: Container) -> None:
        self.node = node
        self.engine = node  # type: ignore[assignment]
        self.container = container

    @property
    def address(self) -> str:
        """The address of its node."""
        return self.node.address

    def status(self) -> Any:
        """Return the agent's whole status, as its own command tells it."""
        try:
            return json.loads(self.inside("longshore", "status", "--json"))
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error


class Stack:
    """One stack of a file. `env` is more of what the file asks of the environment."""

    def __init__(self, swarm: Swarm, file: Path, name: str, env: Mapping[str, str] | None = None) -> None:
        self.swarm, self.file, self.name = swarm, file, name
        sockets = f"{swarm.manager.folder.parent}/{{{{.Node.Hostname}}}}/docker.sock"
        ours = {"BALANCER_IMAGE": LONGSHORE, "IMAGE": BARE, "PORT": "8000", "DOCKER_SOCKET": sockets}
        self._env = {**os.environ, **ours, **(env or {})}

    def __enter__(self) -> Self:
        """Deploy it; nothing is waited for."""
        self._docker("deploy", "--resolve-image", "never", "--compose-file", str(self.file), self.name)
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        """Remove it and what it kept, and wait until nothing is left."""
        if failure is not None:
            print(self.logs())  # noqa: T201 - pytest shows it
        self._docker("rm", self.name)
        nodes = self.swarm.nodes
        until(lambda: not any(self._of(node, "container", "--all") for node in nodes), 60, "no container is left")
        until(lambda: not self._of(self.swarm.manager, "network"), 60, "no network is left")
        for node in nodes:
            for volume in self._of(node, "volume"):
                node.docker("volume", "rm", volume)

    def _docker(self, *words: str) -> None:
        command = ["docker", "--host", self.swarm.manager.host, "stack", *words]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"docker stack {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")

    def _of(self, node: Node, what: str, *words: str) -> list[str]:
        """Return the ids of what a node has of this stack."""
        return node.docker(what, "ls", *words, "--quiet", "--filter", f"label={STACK}={self.name}").split()

    def scale(self, service: str, copies: int) -> None:
        """Have so many copies of one of its services."""
        self.swarm.scale(f"{self.name}_{service}", copies, wait=False)

    def balancer(self, node: Node) -> StackBalancer:
        """Return the balancer on a node, once it is ready."""
        service = f"{self.name}_longshore"
        only = ("--filter", f"label=com.docker.swarm.service.name={service}")
        found = until(lambda: node.docker("container", "ls", "-q", *only).split(), 60, f"{service} runs on {node.name}")
        balancer = StackBalancer(node, Container(node, found[0], service))
        until(lambda: balancer.status()["ready"], 90, f"the balancer on {node.name} is ready")
        return balancer

    def logs(self) -> str:
        """Return what its containers printed, on all nodes."""
        rows = [(node, each) for node in self.swarm.nodes for each in self._of(node, "container", "--all")]
        return "\n".join(f"--- {node.name} {each}\n{node.docker('logs', each, check=False)}" for node, each in rows)
