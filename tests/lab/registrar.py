"""A real `longshore register`, with a state directory of its own.

with Registrar(engine=engine, sources={"etcd": {"endpoints": etcd.endpoints}}) as registrar:
    engine.run(labels={"longshore.service": "web"}, args=("-p", "8000"))
    registrar.until_held("web", 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.balancer import Balancer
from tests.lab.engine_api import UnixConnection
from tests.lab.engine_client import EngineClient

QUICK = {"address": "127.0.0.1", "ttl": "2s", "interval": "200ms", "timeout": "500ms"}


class Registrar(Balancer):
    """One registrar. `sources` are those of the configuration, `register` is laid over the lab's own section.

    `state` is the state directory of somebody else, to share.
    """

    COMMAND, SOCKET = "register", "register.sock"

    def __init__(
        self,
        *,
        engine: EngineClient | None = None,
        sources: Mapping[str, Any],
        register: Mapping[str, Any] | None = None,
        options: tuple[str, ...] = (),
        state: Path | None = None,
    ) -> None:
        section: dict[str, Any] = {**QUICK, "containers": engine is not None, **(register or {})}
        if engine is not None:
            section.setdefault("docker", {"host": engine.host})
        none = {"frontends": None, "admin": None, "haproxy": None}
        super().__init__(config={**none, "sources": sources, "register": section}, options=options)
        if state is not None:
            self.state = state
            self.configure({"state-dir": str(state)})

    def text(self, target: str) -> str:
        """Ask the registrar over its unix socket and return what it answers, which is no JSON."""
        connection = UnixConnection(self.state / self.SOCKET)
        try:
            connection.request("GET", target)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def leases(self, service: str = "") -> list[Any]:
        """Return its leases, of one service or all."""
        found: list[Any] = self.status()["registrar"]["leases"]
        return [lease for lease in found if service in ("", lease["service"])]

    def until_held(self, service: str, count: int) -> list[Any]:
        """Wait until exactly `count` leases of a service are held, and none is under way; return them."""
        self.until(
            lambda status: (
                len(found := [each for each in status["registrar"]["leases"] if each["service"] == service])
                == count
                == sum(each["state"] == "held" for each in found)
            ),
            f"{service} has {count} leases that are held",
        )
        return self.leases(service)
