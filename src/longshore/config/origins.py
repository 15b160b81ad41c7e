"""Where each value of the configuration came from: a line of the file, an environment variable, or a default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from longshore.config.document import Document
from longshore.config.messages import look_up
from longshore.config.problems import Path, dotted
from longshore.config.schema import Config
from longshore.core.places import joined

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from."""

    kind: Literal["file", "environment", "default"]
    where: str  # "longshore.yaml:3:7", "LONGSHORE_HAPROXY_BINARY" or "default"
    value: str  # the value, for people


def origins(config: Config, document: Document) -> dict[str, Origin]:
    """The origin of every value, by its path ("haproxy.binary"), in the order of the file."""
    found = {}
    for path, value in _leaves(config.model_dump(mode="json", by_alias=True), ()):
        found[dotted(path)] = _origin(path, _shown(path, value), document)
    return found


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) and not _is_endpoint(item) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _origin(path: Path, value: str, document: Document) -> Origin:
    place = document.values.get(path)
    around = path
    while place is None and around:
        part, around = around[-1], around[:-1]
        written = look_up(document.data, around)
        if not isinstance(written, dict) and not (isinstance(written, list) and isinstance(part, int)):
            place = document.values.get(around)
    if place is None:
        return Origin("default", DEFAULT, value)
    return Origin("file" if place.line else "environment", str(place), value)


def _shown(path: Path, value: Any) -> str:
    """Spell a value; password hashes are left out."""
    if path[-1] == "auth":
        users = value if isinstance(value, list) else str(value).split(",")
        return ", ".join(f"{str(user).strip().partition(':')[0]}:…" for user in users)
    if value is None or value in ({}, [], ""):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if "rate-limit" in path else f"{value:g}s"
    if isinstance(value, list):
        return ", ".join(_endpoint(item) if isinstance(item, dict) else str(item) for item in value)
    return str(value)


def _is_endpoint(item: dict[str, Any]) -> bool:
    return "address" in item and "check" not in item  # not one of several checks


def _endpoint(item: dict[str, Any]) -> str:
    return joined(item["address"], item["port"])
