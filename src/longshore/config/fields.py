"""The kinds of values that the configuration file holds, each with what is accepted and a sentence for what is not.

The file is strict: a number is not a text and a text is not a number. What several spellings mean the same is brought
to one here, so that the rest of the program sees only that one.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(us|ms|s|m|h|d)?", re.ASCII)
LONGEST = 24 * 86400.0  # HAProxy's timers are 32-bit milliseconds
HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


def duration(value: object) -> float:
    """Seconds from "10s", "500ms", "1m", "2h", "1d" or a bare number of seconds."""
    match = DURATION.fullmatch(str(value).strip()) if isinstance(value, (int, float, str)) else None
    if match is None or isinstance(value, bool):
        raise ValueError('expected a duration like "10s", "500ms", "1m" or "2h"')
    seconds = float(match[1]) * UNITS[match[2] or "s"]
    if seconds > LONGEST:
        raise ValueError("expected at most 24 days")
    return seconds


def split_address(text: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or ":port"; the host comes without brackets, "" if there is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port, re.ASCII):
        raise ValueError("expected an address with a port")
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"expected a port from 1 to 65535, got {port}")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    if ":" in host:
        raise ValueError(f'expected an IPv6 address in brackets, like "[{host}]:{port}"')
    return host, int(port)


def bind_address(value: object) -> str:
    """Where to listen, in one spelling: ":80" for every address, else "127.0.0.1:80" or "[::1]:80"."""
    expected = 'expected an address to listen on like ":80", "127.0.0.1:80" or "[::1]:80"'
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        raise ValueError(f'{expected}, not a number; did you mean ":{value}"?')
    if not isinstance(value, str):
        raise ValueError(expected)
    try:
        host, port = split_address(value)
        if host in ("", "*"):
            return f":{port}"
        address = ipaddress.ip_address(host)
    except ValueError as error:
        reason = str(error) if str(error).startswith("expected a") and "with a port" not in str(error) else expected
        if value.isascii() and value.isdigit():
            reason += f'; did you mean ":{value}"?'
        elif value.startswith("localhost:"):
            reason += f'; did you mean "127.0.0.1:{value.removeprefix("localhost:")}"?'
        raise ValueError(reason) from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def optional_bind_address(value: object) -> str:
    """An address to listen on, or "" for none."""
    return "" if value == "" else bind_address(value)


def listed(value: object) -> object:
    """Let one thing stand for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def path(value: object) -> Path:
    """Make a path of a text."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError('expected a path like "/etc/longshore/certs"')
    return Path(value)


def rooted(value: Path, info: ValidationInfo) -> Path:
    """Read a relative path from the folder of the configuration file, which the loader gives as context."""
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return Path(folder) / value if folder is not None else value


def name(value: str) -> str:
    """Name of a service, source or frontend: a word that is safe everywhere."""
    if not NAME.fullmatch(value):
        raise ValueError("expected a name of letters, digits, dots, dashes and underscores, at most 100 characters")
    return value


def word(value: str) -> str:
    """Text without spaces, quotes or control characters."""
    if not re.fullmatch(r"[!-~]+", value, re.ASCII) or set(value) & set("\"'`\\;#"):
        raise ValueError("expected a word without spaces and quotes")
    return value


def schema(**words: Any) -> WithJsonSchema:
    """JSON Schema of a value that has several spellings."""
    return WithJsonSchema(words)


Duration = Annotated[
    float,
    BeforeValidator(duration),
    schema(type=["string", "number"], minimum=0, examples=["10s", "500ms", "1m"]),
]
BindAddress = Annotated[
    str, BeforeValidator(bind_address), schema(type="string", examples=[":80", "127.0.0.1:80", "[::1]:80"])
]
OptionalBindAddress = Annotated[
    str, BeforeValidator(optional_bind_address), schema(type="string", examples=["127.0.0.1:8404", ""])
]
BindAddresses = Annotated[
    tuple[BindAddress, ...],
    BeforeValidator(listed),
    schema(anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}}], examples=[":80"]),
]
FilePath = Annotated[Path, BeforeValidator(path), AfterValidator(rooted), schema(type="string")]
Name = Annotated[str, AfterValidator(name)]
Word = Annotated[str, AfterValidator(word)]
