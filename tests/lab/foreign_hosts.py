"""Registrars and balancers on hosts that are told what to do as a forerunner is: by its flags and environment alone.

with ForeignHostRegistrar(host, "--docker-register", env={"ETCD_HOST": …}) as registrar:
    ...

What is the lab's own (the engine, folders) is said by environment too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.hosts import Host, HostBalancer, HostRegistrar


class ForeignHostRegistrar(HostRegistrar):
    """A `longshore register` that reads a forerunner's terms, on a host with an engine."""

    def __init__(self, host: Host, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        super().__init__(host, sources={})
        self._foreign = arguments
        self._env |= {"LONGSHORE_STATE_DIR": str(self.state), "DOCKER_HOST": host.host, **(env or {})}

    def _arguments(self) -> list[str | Path]:
        return [*self._options, *self._foreign]


class ForeignHostBalancer(HostBalancer):
    """A `longshore up` that reads a forerunner's terms."""

    def __init__(self, host: Host, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(host, **options)
        self._foreign = arguments
        self._env |= {
            "LONGSHORE_STATE_DIR": str(self.state),
            "LONGSHORE_HAPROXY_BINARY": self.settings["haproxy"]["binary"],
            **(env or {}),
        }

    def _arguments(self) -> list[str | Path]:
        return [*self._options, *self._foreign]
