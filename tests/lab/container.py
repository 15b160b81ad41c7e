"""A container of a lab engine, with what tests do to it."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.engine_client import EngineClient


@dataclass(frozen=True)
class Container:
    """A container: everything asked is asked of the engine at that moment."""

    engine: EngineClient
    id: str
    name: str

    @property
    def short(self) -> str:
        """The id as the web service says it: its host name, unless told otherwise."""
        return self.id[:12]

    def inspect(self) -> Any:
        """Return the engine's whole record."""
        return self.engine.api.get(f"/containers/{self.id}/json")

    @property
    def status(self) -> str:
        """Return "running", "paused", "exited", …"""
        return str(self.inspect()["State"]["Status"])

    @property
    def pid(self) -> int:
        """The process id of its first process, as this machine sees it; 0 when it does not run."""
        return int(self.inspect()["State"]["Pid"])

    @property
    def address(self) -> str:
        """Its IPv4 address on its only network."""
        (network,) = self.networks().values()
        return network

    def networks(self) -> dict[str, str]:
        """Return its IPv4 address by the name of the network."""
        found = self.inspect()["NetworkSettings"]["Networks"]
        return {name: str(network["IPAddress"]) for name, network in found.items()}

    def published(self, port: int = 8000) -> int:
        """Return the port of this machine that leads to the container's `port`."""
        return int(self.inspect()["NetworkSettings"]["Ports"][f"{port}/tcp"][0]["HostPort"])

    def get(self, path: str = "/", port: int = 8000) -> str:
        """Return what it answers, asked directly."""
        with urllib.request.urlopen(f"http://{self.address}:{port}{path}", timeout=10) as answer:
            body: bytes = answer.read()
        return body.decode()

    def posts(self) -> list[str]:
        """Return the id of every POST that it got, also when it has ended; needs env LOG=1."""
        lines = self.engine.docker("logs", self.id).splitlines()
        return [line.removeprefix("POST ") for line in lines if line.startswith("POST ")]

    def stop(self, seconds: int = 10) -> None:
        """Send the stop signal, then SIGKILL after `seconds`; returns when it has ended."""
        self.engine.api.post(f"/containers/{self.id}/stop?t={seconds}")

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal."""
        self.engine.api.post(f"/containers/{self.id}/kill?signal={signal}")

    def start(self) -> None:
        """Start it again."""
        self.engine.api.post(f"/containers/{self.id}/start")

    def restart(self, seconds: int = 10) -> None:
        """Stop and start."""
        self.engine.api.post(f"/containers/{self.id}/restart?t={seconds}")

    def pause(self) -> None:
        """Freeze it."""
        self.engine.api.post(f"/containers/{self.id}/pause")

    def unpause(self) -> None:
        """Let it run on."""
        self.engine.api.post(f"/containers/{self.id}/unpause")

    def rename(self, name: str) -> None:
        """Give it another name."""
        self.engine.api.post(f"/containers/{self.id}/rename?name={name}")

    def rm(self) -> None:
        """Kill and remove it, whatever it does."""
        self.engine.api.delete(f"/containers/{self.id}?force=1&v=1")
