"""Containers as neutral records, read from the engine's `inspect` (Docker Engine API, GET /containers/{id}/json).

The engine is trusted to name containers, but the reader is tolerant: what is missing is empty, so that documents of old
engines, of other engines with the same API and hand-made ones in a file (`check --snapshot`) work alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from longshore.core.model import Problem
from longshore.core.places import ip


@dataclass(frozen=True, slots=True)
class Network:
    """A container's place in one network; addresses are "" while it has none."""

    name: str
    id: str = ""
    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """One published port: `port` of the container is reached at `host_port` of the host."""

    port: int
    protocol: str = "tcp"
    host_ip: str = ""  # "0.0.0.0" and "::" are every address
    host_port: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """The host of a container that is told of by an agent there, not by an engine of ours."""

    name: str = ""
    address: str = ""  # IP at which its published ports are reached; "" if unknown
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """All that matters of one container. `stopping` and `since` are the source's to say, by `dataclasses.replace`."""

    id: str
    name: str
    image: str = ""  # as it was given to `docker run`
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    status: str = "running"  # created, running, paused, restarting, removing, exited, dead
    health: str = ""  # starting, healthy, unhealthy; "" without a HEALTHCHECK
    networks: tuple[Network, ...] = ()
    published: tuple[Published, ...] = ()
    exposed: tuple[tuple[int, str], ...] = ()  # port, protocol
    network_mode: str = ""  # "bridge", "host", "none", "container:<id>", a network's name
    stop_signal: str = "SIGTERM"
    stop_timeout: float = 10.0  # seconds from the stop signal to SIGKILL, unless `docker stop` says otherwise
    created: float = 0.0  # Unix seconds
    started: float = 0.0
    stopping: bool = False  # its stop signal was sent
    since: float = 0.0  # Unix seconds of the event that led to this state
    machine: Machine | None = None  # None: the host of the engine that was asked
    hostname: str = ""  # its own, inside


def from_inspect(doc: Mapping[str, Any]) -> Container:
    """Read one inspect document. Raises ValueError saying what is wrong."""
    if not isinstance(doc, Mapping):
        raise ValueError("is not an object")
    identity = doc.get("Id")
    if not isinstance(identity, str) or not identity:
        raise ValueError('has no "Id"')
    config, state = _object(doc, "Config"), _object(doc, "State")
    host, network = _object(doc, "HostConfig"), _object(doc, "NetworkSettings")
    started = moment(state.get("StartedAt"))
    name = _text(doc, "Name").removeprefix("/") or identity[:12]
    return Container(
        id=identity,
        name=name,
        image=_text(config, "Image") or _text(doc, "Image"),
        hostname=_text(config, "Hostname"),
        labels=_labels(config),
        env=_environment(config),
        status=_status(state),
        health=_health(state),
        networks=tuple(sorted(_networks(network), key=lambda one: one.name)),
        published=tuple(_published(network)),
        exposed=tuple(sorted(_exposed(config, network))),
        network_mode=_text(host, "NetworkMode"),
        stop_signal=_text(config, "StopSignal") or "SIGTERM",
        stop_timeout=_seconds(config, "StopTimeout", 10.0),
        created=moment(doc.get("Created")),
        started=started,
        since=started,
    )


def read_snapshot(text: str) -> tuple[tuple[Container, ...], tuple[Problem, ...]]:
    """Read a file of inspect documents, as `docker inspect $(docker ps -q)` prints: an array.

    An entry that cannot be read becomes a problem; ValueError if it is not such a file at all.
    """
    try:
        docs = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("is not what the engine prints: it is nested too deeply") from error
    if not isinstance(docs, list):
        raise ValueError("is not an array of inspect documents; expected what `docker inspect $(docker ps -q)` prints")
    found: dict[str, Container] = {}
    problems = []
    for index, doc in enumerate(docs):
        try:
            container = from_inspect(doc)
        except ValueError as error:
            problems.append(Problem(f"snapshot entry {index + 1}", f"cannot be read: {error}"))
        else:
            found[container.id] = container
    return tuple(found.values()), tuple(problems)


def _object(doc: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = doc.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key} is not an object")
    return value


def _text(doc: Mapping[str, Any], key: str) -> str:
    value = doc.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is not text")
    return value


def _seconds(doc: Mapping[str, Any], key: str, default: float) -> float:
    value = doc.get(key)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in _object(config, "Labels").items()}


def _environment(config: Mapping[str, Any]) -> dict[str, str]:
    lines = config.get("Env") or ()
    if not isinstance(lines, Iterable) or isinstance(lines, str | Mapping):
        raise ValueError("Config.Env is not a list")
    return {key: value for key, _, value in (str(line).partition("=") for line in lines)}


def _status(state: Mapping[str, Any]) -> str:
    if status := _text(state, "Status"):
        return status
    for status, flag in (("paused", "Paused"), ("restarting", "Restarting"), ("dead", "Dead"), ("running", "Running")):
        if state.get(flag):
            return status
    return "exited" if state else "running"


def _health(state: Mapping[str, Any]) -> str:
    word = _text(_object(state, "Health") or _object(state, "Healthcheck"), "Status").lower()
    return "" if word == "none" else word


def _networks(settings: Mapping[str, Any]) -> Iterable[Network]:
    for name in (networks := _object(settings, "Networks")):
        place = _object(networks, name)
        yield Network(str(name), _text(place, "NetworkID"), _ip(place, "IPAddress"), _ip(place, "GlobalIPv6Address"))
    if not networks and _text(settings, "IPAddress"):  # engines before 1.21 knew only the default bridge
        yield Network("bridge", "", _ip(settings, "IPAddress"), _ip(settings, "GlobalIPv6Address"))


def _ip(place: Mapping[str, Any], key: str) -> str:
    word = _text(place, key)
    return (ip(word) or "") if word else ""


def _published(settings: Mapping[str, Any]) -> Iterable[Published]:
    for spelled, bindings in _object(settings, "Ports").items():
        if (exposed := _port(spelled)) is None or not isinstance(bindings, list | tuple):
            continue
        for binding in bindings:
            number = binding.get("HostPort") if isinstance(binding, Mapping) else None
            if number and (host_port := _port(str(number))):
                yield Published(*exposed, host_ip=_text(binding, "HostIp"), host_port=host_port[0])


def _exposed(config: Mapping[str, Any], settings: Mapping[str, Any]) -> set[tuple[int, str]]:
    spelled = [*_object(config, "ExposedPorts"), *_object(settings, "Ports")]
    return {port for one in spelled if (port := _port(one))}


def _port(spelled: object) -> tuple[int, str] | None:
    """Read "8000/tcp"; None if it is no port."""
    number, _, protocol = str(spelled).partition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and 1 <= int(number) <= 65535):
        return None
    return int(number), protocol.lower() or "tcp"


def moment(spelled: object) -> float:
    """Read an RFC 3339 moment, with nanoseconds; 0.0 for none ("0001-01-01T00:00:00Z") or one that cannot be read."""
    if not isinstance(spelled, str):
        return 0.0
    try:
        moment = datetime.fromisoformat(spelled)
        return max(moment.timestamp(), 0.0) if moment.tzinfo is not None else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
