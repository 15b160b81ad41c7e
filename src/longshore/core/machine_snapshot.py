"""What an agent tells of its machine: one line of JSON, whole each time, for `longshore agent` and its subscribers.

    {"format": 1, "machine": {"id": …, "name": …, "address": …, "zone": …}, "stale": "", "problems": […],
     "containers": ["{\\"id\\": …, \\"name\\": …, …}", …]}

Each container is JSON inside of a text: a subscriber reads only those texts that are new to it.
Fields that have their default value are left out, and fields that are not known are ignored, so that agents and
balancers of neighbouring versions understand each other. The environment of containers is never told: it holds secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from longshore.core.containers import Container, Machine, Network, Published
from longshore.core.model import Problem

FORMAT = 1
_TEXTS = ("id", "name", "image", "status", "health", "network_mode", "stop_signal")
_PLAIN = (*_TEXTS, "created", "started", "since", "stopping")


@dataclass(frozen=True, slots=True)
class MachineSnapshot:
    """All that one agent knows. `id` is that of its engine: a machine stays itself when its agent is replaced."""

    id: str
    machine: Machine
    containers: tuple[Container, ...] = ()
    problems: tuple[Problem, ...] = ()
    stale: str = ""


def spell(container: Container) -> str:
    """Give a container as JSON, without its environment and its machine."""
    defaults = {each.name: each.default for each in fields(Container)}
    told: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(container, name)) != defaults.get(name)}
    told["labels"] = dict(container.labels)
    told["networks"] = [[each.name, each.id, each.ipv4, each.ipv6] for each in container.networks]
    told["published"] = [[each.port, each.protocol, each.host_ip, each.host_port] for each in container.published]
    told["exposed"] = [list(each) for each in container.exposed]
    return json.dumps({name: value for name, value in told.items() if value not in ([], {})}, separators=(",", ":"))


def line(snapshot: MachineSnapshot, spelled: Callable[[Container], str] = spell) -> bytes:
    """Give the snapshot as a line. `spelled` may remember what it spelled."""
    machine = snapshot.machine
    head: dict[str, object] = {
        "format": FORMAT,
        "machine": {"id": snapshot.id, "name": machine.name, "address": machine.address, "zone": machine.zone},
        "stale": snapshot.stale,
        "problems": [[each.where, each.what, each.hint, each.service] for each in snapshot.problems],
    }
    head["containers"] = [spelled(container) for container in snapshot.containers]
    return f"{json.dumps(head, separators=(',', ':'))}\n".encode()


class Reader:
    """Reads the lines of one agent. A container that is told in the same words as before is the identical object."""

    def __init__(self) -> None:
        self._known: dict[str, Container] = {}
        self._machine: Machine | None = None

    def read(self, text: bytes | str) -> MachineSnapshot:
        """Read a line. Raises ValueError saying what is wrong."""
        snapshot, self._known = _read(text, self._known, self._machine)
        self._machine = snapshot.machine
        return snapshot


def read(text: bytes | str) -> MachineSnapshot:
    """Read one line. Raises ValueError saying what is wrong."""
    return _read(text, {}, None)[0]


def _read(
    text: bytes | str, known: Mapping[str, Container], before: Machine | None
) -> tuple[MachineSnapshot, dict[str, Container]]:
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"it speaks format {document['format']!r}, not {FORMAT}")
        about = document["machine"]
        words = [str(about.get(name, "")) for name in ("name", "address", "zone")]
        machine = Machine(*words)
        same = known if machine == before else {}
        told = dict.fromkeys(document.get("containers", ()))
        containers = {each: same.get(each) or _container(json.loads(each), machine) for each in told}
        problems = tuple(Problem(*map(str, each[:4])) for each in document.get("problems", ()))
        stale = str(document.get("stale", ""))
        return MachineSnapshot(str(about["id"]), machine, tuple(containers.values()), problems, stale), containers
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"it is no snapshot of a machine: {error!r}") from error


def _container(told: Mapping[str, Any], machine: Machine) -> Container:
    plain = {name: _typed(name, told[name]) for name in _PLAIN if name in told}
    return Container(
        labels={str(key): str(value) for key, value in told.get("labels", {}).items()},
        networks=tuple(Network(*map(str, each[:4])) for each in told.get("networks", ())),
        published=tuple(
            Published(int(port), str(protocol), str(host), int(outside))
            for port, protocol, host, outside in told.get("published", ())
        ),
        exposed=tuple((int(port), str(protocol)) for port, protocol in told.get("exposed", ())),
        machine=machine,
        **({"name": plain.get("id", "")[:12]} | plain),
    )


def _typed(name: str, value: object) -> Any:
    kind = bool if name == "stopping" else float if name in ("created", "started", "since") else str
    if not isinstance(value, kind if kind is not float else float | int):
        raise TypeError(f"{name} is {value!r}")
    return kind(value)
