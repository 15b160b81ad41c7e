"""The kinds of values that the configuration file holds beside plain text, numbers and switches.

They are read as labels are (`core.values`, `core.places`), so that one spelling means the same everywhere and the rest
of the program sees only one: seconds, ":80", "127.0.0.1:80", "[::1]:80".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from longshore.core import places, values
from longshore.core.values import RefusedError, shown


def split_address(text: str) -> tuple[str, int]:
    """Host and port of "host:port", "[v6]:port" or ":port"; the host comes without brackets, "" if there is none."""
    host, colon, port = text.rpartition(":")
    number = places.port(port)
    if not colon or (":" in host) != (host.startswith("[") and host.endswith("]")):
        raise RefusedError(f"{shown(text)} is not an address with a port")
    return host.removeprefix("[").removesuffix("]"), number


def bind_address(value: object) -> str:
    """Where to listen, in one spelling: ":80" for every IPv4 address, else "127.0.0.1:80" or "[::1]:80"."""
    if isinstance(value, str) and value.startswith("localhost:"):
        meant = value.replace("localhost", "127.0.0.1", 1)
        raise RefusedError(f"{shown(value)} is a name, expected an IP address", f"write {shown(meant)}")
    return places.listen(value)


def optional_bind_address(value: object) -> str:
    """An address to listen on; "" or "off" for none."""
    return "" if value in ("", "off") else bind_address(value)


def listed(value: object) -> object:
    """Let one thing stand for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def path(value: object) -> Path:
    """Make a path of a text."""
    return value if isinstance(value, Path) else Path(values.text(value))


def rooted(value: Path, info: ValidationInfo) -> Path:
    """Read a relative path from the folder of the configuration file, which the loader gives as context."""
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return Path(folder) / value if folder is not None else value


def word(value: str) -> str:
    """Text without spaces, quotes or control characters."""
    if not re.fullmatch(r"[A-Za-z0-9_.@:/-]{1,200}", value, re.ASCII):
        raise RefusedError(f"{shown(value)} is not a plain word", "use letters, digits, _ . @ : / and -")
    return value


def http_url(example: str) -> AfterValidator:
    """Make a check of where an HTTP API is. A path may stand before the API's own; the slash at the end goes."""

    def read(value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        else:
            usable = usable and not (parts.query or parts.fragment or parts.username)
        if not usable or not re.fullmatch(r"[!-~]{1,500}", value, re.ASCII):
            meant = f"http://{value}" if re.fullmatch(r"[A-Za-z0-9_.-]+(?::[0-9]+)?", value, re.ASCII) else ""
            hint = f"did you mean {shown(meant)}?" if meant else ""
            raise RefusedError(f"{shown(value)} is not an address like {shown(example)}", hint)
        return value.rstrip("/")

    return AfterValidator(read)


def schema(**words: Any) -> WithJsonSchema:
    """JSON Schema of a value that has several spellings."""
    return WithJsonSchema(words)


Duration = Annotated[
    float, BeforeValidator(values.duration), schema(type=["string", "number"], minimum=0, examples=["10s", "1m"])
]
BindAddress = Annotated[
    str, BeforeValidator(bind_address), schema(type=["string", "integer"], examples=[":80", "127.0.0.1:80"])
]
OptionalBindAddress = Annotated[
    str, BeforeValidator(optional_bind_address), schema(type=["string", "integer"], examples=["127.0.0.1:8404", "off"])
]
BindAddresses = Annotated[
    tuple[BindAddress, ...],
    BeforeValidator(listed),
    schema(type=["string", "integer", "array"], items={"type": ["string", "integer"]}, minItems=1, examples=[":80"]),
]
FilePath = Annotated[Path, BeforeValidator(path), AfterValidator(rooted), schema(type="string")]
Name = Annotated[str, AfterValidator(values.name)]
Word = Annotated[str, AfterValidator(word)]
