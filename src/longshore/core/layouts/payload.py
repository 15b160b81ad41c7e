"""What layouts share: taking keys apart, reading JSON that anybody may have written, and refusing it in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from longshore.core import places
from longshore.core.values import RefusedError, shown

LARGEST = 256 * 1024  # bytes; an entry takes a few hundred
MOST_LABELS = 200
SEQUENCE = r"_(?:[0-9]{10}|-[0-9]{9,10})?"  # "_", and what ZooKeeper appends to it for sequential nodes (%010d)

_PREFIXED = re.compile(r"longshore[-_](.+)", re.ASCII)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # half a character: text with it cannot be written anywhere


class UnreadableError(ValueError):
    """A value that is no entry: what is wrong, and what was expected."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def below(prefix: str, key: str) -> tuple[str, ...]:
    """The parts of a key beneath a prefix. Keys of Consul start without a slash."""
    start = f"{prefix}/"
    if key.startswith(start) and "//" not in key and key[-1] != "/":  # as nearly all of them are written
        return tuple(key[len(start) :].split("/"))
    here, inner = ([part for part in path.split("/") if part] for path in (prefix, key))
    return tuple(inner[len(here) :]) if inner[: len(here)] == here else ()


def without_sequence(name: str) -> str:
    """The name of a node as it was created: "web1:80_0000000012" was "web1:80"."""
    stem, underscore, number = name.rpartition("_")
    return stem if stem and re.fullmatch(SEQUENCE, underscore + number, re.ASCII) else name


def rank_of(name: str) -> int:
    """The number that ZooKeeper gave a node, counted from 1; 0 if the name has none. Synapse elects by it."""
    number = name.rpartition("_")[2]
    return int(number) + 1 if re.fullmatch(r"[0-9]{1,19}", number, re.ASCII) else 0


def path(prefix: str, *parts: str) -> str:
    """Put a key together. Raises ValueError for parts that cannot stand in one."""
    for part in parts:
        if not part or "/" in part or "\0" in part or part in (".", ".."):
            raise ValueError(f"{shown(part)} cannot be part of a key")
    return "/".join((prefix.rstrip("/"), *parts))


def document(value: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    if len(value) > LARGEST:
        raise UnreadableError(f"is {len(value):,} bytes large; at most {LARGEST:,} are read")
    try:
        plain = value[:1] == b"{" and value[1:2] != b"\0"  # UTF-8 without a mark, as nearly all of them are
        found = json.loads(value.decode() if plain else value)
        if _SURROGATE.search(value):
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise UnreadableError("is nested too deeply") from None
    except ValueError:
        text = value.decode(errors="replace")
        raise UnreadableError(f"is not JSON: {shown(text)}" if text.strip() else "is empty") from None
    if not isinstance(found, dict):
        raise UnreadableError(f"is not a JSON object: {shown(value.decode(errors='replace'))}")
    return found


def dumped(found: Mapping[str, Any]) -> bytes:
    """Write JSON as Ruby's and Go's encoders do: without blanks, in UTF-8."""
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def host_of(found: Mapping[str, Any], key: str = "host") -> str:
    """The IP address or name of a document."""
    host = found.get(key)
    if host is None:
        raise UnreadableError(f"says no {key}", 'expected "host" and "port"')
    if not isinstance(host, str):
        raise UnreadableError(f"{key} is not text")
    try:
        return places.machine(host)
    except RefusedError as refusal:
        raise UnreadableError(f"{key}: {refusal}") from None


def port_of(found: Mapping[str, Any], key: str = "port") -> int:
    """The port of a document; digits in quotes count as a number."""
    port = found.get(key)
    if port is None:
        raise UnreadableError(f"says no {key}", 'expected "host" and "port"')
    if isinstance(port, str) and re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        port = int(port)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise UnreadableError(f"{key} is not a port from 1 to 65535: {shown(str(found[key]))}")
    return port


def weight_of(found: Mapping[str, Any]) -> int | None:
    """The weight of a document, any whole number from 0; None if it says none."""
    weight = found.get("weight")
    if isinstance(weight, str) and re.fullmatch(r"[0-9]{1,9}", weight, re.ASCII):
        weight = int(weight)
    if weight is None or (isinstance(weight, int) and not isinstance(weight, bool) and 0 <= weight <= 10**9):
        return weight
    raise UnreadableError(f"weight is not a whole number from 0: {shown(str(weight))}")


def text_of(found: Mapping[str, Any], key: str) -> str:
    """A text of a document, "" if it says none. Numbers are accepted, anything else counts as not said."""
    value = found.get(key)
    return value if isinstance(value, str) else str(value) if type(value) in (int, float) else ""


def labels_of(found: Mapping[str, Any], key: str = "labels") -> tuple[tuple[str, str], ...]:
    """The labels of a document, sorted."""
    labels = found.get(key)
    if labels is None:
        return ()
    if not isinstance(labels, dict):
        raise UnreadableError(f"{key} is not a JSON object")
    if len(labels) > MOST_LABELS:
        raise UnreadableError(f"has {len(labels):,} labels; at most {MOST_LABELS} are read")
    if set(map(type, labels.values())) == {str}:
        return tuple(sorted(labels.items()))
    return tuple(sorted([(name, _label(name, value)) for name, value in labels.items() if value is not None]))


def label_key(key: str) -> str:
    """Our labels as registries with fewer letters spell them: "longshore_check_path" is "longshore.check-path"."""
    match = _PREFIXED.fullmatch(key)
    return f"longshore.{match[1].replace('_', '-').lower()}" if match else key


def _label(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise UnreadableError(f"label {shown(name)} is not text")
    return str(value)


def tags_of(found: Mapping[str, Any], key: str = "tags") -> tuple[str, ...]:
    """The tags of a document."""
    tags = found.get(key)
    if tags is None:
        return ()
    if not isinstance(tags, list) or len(tags) > MOST_LABELS or not all(isinstance(tag, str) for tag in tags):
        raise UnreadableError(f"{key} is not a list of at most {MOST_LABELS} texts")
    return tuple(tags)


def address(text: str) -> tuple[str, int]:
    """Take "10.0.0.5:80" or "[fd00::5]:80" apart."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        raise UnreadableError(f'is not "host:port": {shown(text)}')
    found = {"host": host, "port": port}
    return host_of(found), port_of(found)
