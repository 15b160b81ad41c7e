"""A real `longshore up` that reads a forerunner's configuration in place of one of ours.

with ForeignBalancer("--synapse", path, series="2.6") as balancer:
    balancer.until_up("nodesrv", 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.balancer import Balancer


class ForeignBalancer(Balancer):
    """One agent and its HAProxy; `arguments` name the configuration. What is the lab's own is said by environment."""

    def __init__(self, *arguments: str | Path, env: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._foreign = arguments
        haproxy = self.settings["haproxy"]
        self._env |= {
            "LONGSHORE_STATE_DIR": str(self.state),
            "LONGSHORE_ADMIN_BIND": self.settings["admin"]["bind"],
            "LONGSHORE_HAPROXY_BINARY": haproxy["binary"],
            "LONGSHORE_HAPROXY_HARD_STOP_AFTER": haproxy["hard-stop-after"],
            **(env or {}),
        }

    def _arguments(self) -> list[str | Path]:
        return [*self._foreign, *self._options]
