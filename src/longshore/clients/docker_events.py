"""One event of a Docker Engine, and how a line of its stream becomes one.

Engine API, "Monitor events" (GET /events): one JSON object per line,
`{"Type": "container", "Action": "kill", "Actor": {"ID": …, "Attributes": {"signal": "15", …}}, "timeNano": …}`.
A `network` event's Actor is the network; the container is in its attribute `container`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

CONTAINER_ACTIONS = ("start", "kill", "die", "pause", "unpause", "health_status", "rename", "update", "destroy")
NETWORK_ACTIONS = ("connect", "disconnect")

FILTERS = json.dumps({"type": ["container", "network"], "event": [*CONTAINER_ACTIONS, *NETWORK_ACTIONS]})
"""Leaves out what says nothing about an address or a state: `exec_*` of every HEALTHCHECK, `attach`, `top` …"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a container. `nanos` is the engine's clock, Unix nanoseconds."""

    container: str  # the full id
    kind: str  # "container" or "network"
    action: str  # one of the actions above; "health_status: healthy" is given as "health_status"
    name: str = ""  # the container's name, when the engine says it
    signal: str = ""  # of a `kill`: a number, as the engine writes it
    nanos: int = 0
    network: str = ""  # of a network event: the network's id …
    driver: str = ""  # … and driver: "bridge", "macvlan", "overlay" …

    @property
    def time(self) -> float:
        """Unix seconds."""
        return self.nanos / 1e9


def parse(line: bytes) -> Event | None:
    """Read one line of the stream; None if it is not about a container. Raises ValueError if it is no event at all."""
    document = json.loads(line)
    try:
        kind, action, actor = document["Type"], document["Action"], document["Actor"]
        attributes = actor.get("Attributes") or {}
        nanos = int(document.get("timeNano") or int(document["time"]) * 1_000_000_000)
        identity = str(actor["ID"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no event of a Docker Engine: {line[:80]!r}") from error
    action = action.partition(":")[0]
    if kind == "container" and action in CONTAINER_ACTIONS and identity:
        return Event(identity, kind, action, attributes.get("name", ""), str(attributes.get("signal", "")), nanos)
    if kind == "network" and action in NETWORK_ACTIONS and attributes.get("container"):
        driver = attributes.get("type", "")
        return Event(attributes["container"], kind, action, nanos=nanos, network=identity, driver=driver)
    return None
