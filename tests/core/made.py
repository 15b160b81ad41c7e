"""Containers for tests, made of a few words."""

from __future__ import annotations

from typing import Any

from longshore.core.containers import Container, Network, Published


def container(
    name: str = "web-1", /, number: int = 1, labels: dict[str, str] | None = None, **fields: Any
) -> Container:
    """Make a running container in the network `bridge` that exposes 8000; `labels` go without "longshore."."""
    said = {f"longshore.{key}": value for key, value in (labels or {}).items()}
    fields.setdefault("networks", (Network("bridge", "n0", f"172.17.0.{number}"),))
    fields.setdefault("exposed", ((8000, "tcp"),))
    fields.setdefault("image", "local/app:1")
    fields.setdefault("created", float(number))
    return Container(f"{number:012x}" + "0" * 52, name, labels=said | fields.pop("raw_labels", {}), **fields)


def compose(project: str, service: str) -> dict[str, str]:
    """Give the labels that Compose puts on a container."""
    return {"com.docker.compose.project": project, "com.docker.compose.service": service}


def published(port: int, host_port: int, host_ip: str = "0.0.0.0") -> tuple[Published, ...]:
    """Give one published TCP port."""
    return (Published(port, "tcp", host_ip, host_port),)
