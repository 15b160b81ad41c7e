"""A real Docker Swarm: one manager and workers, each a machine of its own (`nodes`), with an overlay network "front".

    with Swarm() as swarm:
        swarm.create("web", "--replicas", "3", labels={"longshore.host": "a.test"})

This kernel has no IPVS, so virtual addresses (`endpoint_mode: vip`) and ports published through the ingress cannot
carry traffic here; services with a VIP can be made, and their tasks are reached at their own addresses. Overlay
networks, `dnsrr` and `mode=host` work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.lab.container import Container
from tests.lab.engine_client import BARE, WEB
from tests.lab.nodes import Machines, Node
from tests.lab.waiting import until

FRONT = "front"
ANCHOR = "anchor"
"""A container on each node that keeps it in the overlay network: a node that comes back into one hears of the others'
addresses only after up to half a minute."""


class Swarm:
    """Machine h1 is the manager."""

    def __init__(self, count: int = 3) -> None:
        self._machines = Machines(count)
        self.nodes: list[Node] = []

    def __enter__(self) -> Swarm:
        """Start the machines and make them a Swarm."""
        self._machines.__enter__()
        try:
            self.nodes = self._machines.nodes
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End the machines."""
        self._machines.close()

    @property
    def manager(self) -> Node:
        """The machine that is the manager from the start."""
        return self.nodes[0]

    def _join(self) -> None:
        pool = ("--default-addr-pool", "10.251.0.0/16", "--task-history-limit", "1")
        manager = self.manager
        place = ("--advertise-addr", manager.address, "--listen-addr", f"{manager.address}:2377")
        manager.docker("swarm", "init", *place, *pool)
        token = manager.docker("swarm", "join-token", "-q", "worker")
        for node in self.nodes[1:]:
            place = ("--advertise-addr", node.address, "--listen-addr", f"{node.address}:2377")
            node.docker("swarm", "join", "--token", token, *place, f"{manager.address}:2377")
        manager.docker("network", "create", "--driver", "overlay", "--attachable", FRONT)
        for node in self.nodes:
            node.run(ANCHOR, image=BARE, args=("--network", FRONT, "--restart", "always"))
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until the manager sees every node as ready."""

        def ready() -> bool:
            nodes = self.manager.api.get("/nodes")
            return [node["Status"]["State"] for node in nodes] == ["ready"] * len(self.nodes)

        until(ready, 60, "all nodes of the Swarm are ready")

    def create(
        self,
        name: str,
        *args: str,
        labels: Mapping[str, object] | None = None,
        env: Mapping[str, object] | None = None,
        image: str = WEB,
        network: str = FRONT,
        mode: str = "dnsrr",
        wait: bool = True,
    ) -> None:
        """Do what `docker service create` does; `args` are more of its options. Waits until its tasks run."""
        options = ["--name", name, "--no-resolve-image", "--endpoint-mode", mode, "--detach"]
        options += ["--network", network] if network else []
        options += [word for key, value in (labels or {}).items() for word in ("--label", f"{key}={value}")]
        options += [word for key, value in (env or {}).items() for word in ("--env", f"{key}={value}")]
        self.manager.docker("service", "create", *options, *args, image)
        if wait:
            self.until_settled(name)

    def update(self, name: str, *args: str, wait: bool = True) -> None:
        """Do what `docker service update` does; waits until the update is done."""
        more = () if "--rollback" in args else ("--no-resolve-image",)
        self.manager.docker("service", "update", "--detach", *more, *args, name)
        if wait:
            self.until_settled(name)

    def scale(self, name: str, copies: int, *, wait: bool = True) -> None:
        """Have so many copies."""
        self.manager.docker("service", "scale", "--detach", f"{name}={copies}")
        if wait:
            self.until_settled(name)

    def tasks(self, name: str) -> list[Any]:
        """Return the manager's records of all tasks of a service."""
        filters = f'{{"service":["{name}"]}}'
        found = self.manager.api.get(f"/tasks?filters={filters}")
        assert isinstance(found, list)
        return found

    def running(self, name: str) -> list[Any]:
        """Return the records of those that run and shall run."""
        return [
            task
            for task in self.tasks(name)
            if (task["DesiredState"], task["Status"]["State"]) == ("running", "running")
        ]

    def until_settled(self, name: str, deadline: float = 120) -> None:
        """Wait until a service is as it was asked for: no update under way, as many tasks as wanted, none leaving."""

        def settled() -> bool:
            service = self.manager.api.get(f"/services/{name}")
            if service.get("UpdateStatus", {}).get("State") in ("updating", "rollback_started"):
                return False
            mode = service["Spec"]["Mode"]
            wanted = mode["Replicated"].get("Replicas", 0) if "Replicated" in mode else len(self.running(name))
            tasks = self.tasks(name)
            if any(
                _made_for(task["Spec"]) != _made_for(service["Spec"]["TaskTemplate"]) for task in self.running(name)
            ):
                return False
            leaving = [t for t in tasks if t["DesiredState"] != "running" and t["Status"]["State"] == "running"]
            coming = [t for t in tasks if t["DesiredState"] in ("running", "ready", "accepted")]
            return len(self.running(name)) == len(coming) == wanted and not leaving

        until(settled, deadline, f"service {name} is settled", every=0.2)

    def containers(self, name: str) -> list[Container]:
        """Return the running containers of a service, on whichever nodes they are."""
        by_id = {self._id_of(node): node for node in self.nodes if node.api.ping()}
        found = []
        for task in self.running(name):
            identity = task["Status"]["ContainerStatus"]["ContainerID"]
            if task["NodeID"] in by_id:
                found.append(Container(by_id[task["NodeID"]], identity, f"{name}.{task['ID']}"))
        return found

    def _id_of(self, node: Node) -> str:
        return str(node.api.get("/info")["Swarm"]["NodeID"])

    def on(self, name: str, node: Node) -> list[Container]:
        """Return those that run on a node."""
        return [container for container in self.containers(name) if container.engine is node]

    def reset(self) -> None:
        """Remove all services and containers, switch everything on, and wait until nothing is left."""
        for node in self.nodes:
            if not node.api.ping():
                node.start()
            node.heal()
        self.until_ready()
        for service in self.manager.api.get("/services"):
            self.manager.api.delete(f"/services/{service['ID']}")
        for secret in self.manager.api.get("/secrets"):
            self.manager.api.delete(f"/secrets/{secret['ID']}")
        for each in self.manager.api.get("/nodes"):
            self.manager.docker("node", "update", "--availability", "active", each["ID"])
        for container in self._left():
            container.rm()
        until(lambda: not self._left(), 60, "no container is left")

    def _left(self) -> Iterable[Container]:
        return [each for node in self.nodes for each in node.containers() if each.name != ANCHOR]


def _made_for(template: Any) -> tuple[object, object]:
    """What a new version of a service changes in its tasks."""
    return template["ContainerSpec"], template.get("ForceUpdate", 0)
