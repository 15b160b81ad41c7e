"""Settings from the environment: `LONGSHORE_` and the setting's path, in capitals with underscores.

`LONGSHORE_HAPROXY_BINARY` is `haproxy.binary`, `LONGSHORE_SOURCES_EAST_HOST` is `sources.east.host`. A variable wins
over the file; an empty one counts as not set; lists are separated by commas. `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and
`DOCKER_CERT_PATH` mean the same as for the `docker` command, wherever a `docker` source says no host; `AWS_REGION` and
`AWS_ENDPOINT_URL` the same as for the `aws` command.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from longshore.config.document import Document
from longshore.config.messages import look_up
from longshore.config.outline import Kind, Pattern, Setting, settings
from longshore.config.problems import ConfigProblem, Path, Place
from longshore.config.sources import SOURCES

PREFIX = "LONGSHORE_"
READ_ELSEWHERE = ("LONGSHORE_CONFIG",)  # which file to read: no setting of its own
AWS = {
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint": ("AWS_ENDPOINT_URL_{}", "AWS_ENDPOINT_URL"),
}
SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def variable(path: Pattern) -> str:
    """The variable of a setting; names stay as they are: ("sources", "EAST", "host") is LONGSHORE_SOURCES_EAST_HOST."""
    return PREFIX + "_".join(part.upper().replace("-", "_").replace(".", "_") for part in path)


def apply(document: Document, environ: Mapping[str, str]) -> None:
    """Write the environment's settings over the file's, in the document's data and places."""
    for name in sorted(environ):
        text = environ[name]
        if not name.startswith(PREFIX) or name in READ_ELSEWHERE or not text:
            continue
        found = _find(name, document.data)
        if found is None:
            hint = suggestion_for(name, document.data)
            document.problems.append(ConfigProblem(Place(name), "unknown environment variable", hint=hint))
        else:
            put(document, found[0], _value(text, found[1]), Place(name))


def put(document: Document, path: Path, value: Any, place: Place) -> None:
    """Set one value in a document, unless the file holds something else than a mapping around it."""
    data = document.data
    for depth, part in enumerate(path[:-1]):
        inner = data.get(part)
        if inner is None:
            inner = data[part] = {}
            document.keys[path[: depth + 1]] = document.values[path[: depth + 1]] = place
        if not isinstance(inner, dict):
            return
        data = inner
    data[path[-1]] = value
    for known in (document.keys, document.values):
        for old in [old for old in known if old[: len(path)] == path]:
            del known[old]
        known[path] = place


def _find(name: str, data: dict[str, Any]) -> tuple[Path, Kind] | None:
    """The path of a variable: exactly, with a name that exists, or with a new name before the longest known ending."""
    for setting in settings():
        if variable(setting.path) == name:
            return setting.path, setting.kind
    for path, setting in _existing(data):
        if variable(path) == name:
            return path, setting.kind
    ways = [(*new, setting.kind) for setting in settings() if (new := _with_new_name(name, setting.path))]
    return next(((path, kind) for _, path, kind in sorted(ways, key=lambda way: len(way[0]))), None)


def _existing(data: dict[str, Any]) -> Iterator[tuple[Pattern, Setting]]:
    """Settings beneath names that the file or the defaults have, longest names first, and beneath types of sources."""
    named = [setting for setting in settings() if "*" in setting.path]
    for section in dict.fromkeys(setting.path[: setting.path.index("*")] for setting in named):
        written: Any = data
        for part in section:
            written = written.get(part) if isinstance(written, dict) else None
        names = set(written) if isinstance(written, dict) else set()
        names |= set(SOURCES) if section == ("sources",) else set()
        for name in sorted(names, key=len, reverse=True):
            for setting in named:
                if setting.path[: setting.path.index("*")] == section:
                    yield tuple(name if part == "*" else part for part in setting.path), setting


def _with_new_name(variable_name: str, path: Pattern) -> tuple[str, Pattern] | None:
    """The name in a variable that fits a path, and the path with it."""
    if "*" not in path:
        return None
    star = path.index("*")
    start, end = variable(path[:star]) + "_", variable(path[star + 1 :]).removeprefix(PREFIX)
    match = re.fullmatch(f"{start}([A-Z0-9][A-Z0-9_]*)_{end}", variable_name)
    new = match[1].lower().replace("_", "-") if match else ""
    return (new, (*path[:star], new, *path[star + 1 :])) if new else None


def suggestion_for(name: str, data: dict[str, Any]) -> str:
    """The known variable that is nearest to an unknown one."""
    known = [variable(setting.path) for setting in settings() if "*" not in setting.path]
    known += [*(variable(path) for path, _ in _existing(data)), *READ_ELSEWHERE]
    endings = [other.removeprefix(PREFIX) for other in known]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), endings, n=1, cutoff=0.7)
    return f'did you mean "{PREFIX}{close[0]}"?' if close else ""


def _value(text: str, kind: Kind) -> Any:
    """The text as the file would have it; what does not fit stays text, and validation says what was expected."""
    plain = text.strip()
    if kind == "switch":
        return SWITCHES.get(plain.lower(), text)
    if kind == "number":
        return int(plain) if re.fullmatch(r"[+-]?\d{1,18}", plain, re.ASCII) else text
    return [item.strip() for item in plain.split(",")] if kind == "list" else text


def aws(document: Document, environ: Mapping[str, str]) -> None:
    """Let AWS's own variables say region and endpoint, where the file does not. Credentials are read late.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
    """
    found: list[tuple[Path, str]] = []
    sources, services = document.data.get("sources"), document.data.get("services")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if isinstance(source, dict) and source.get("type", name) == "ec2":
            found.append((("sources", name), "EC2"))
    for name, service in services.items() if isinstance(services, dict) else ():
        toggle = service.get("from-toggle") if isinstance(service, dict) else None
        if isinstance(toggle, dict) and str(toggle.get("url", "")).startswith("s3://"):
            found.append((("services", name, "from-toggle"), "S3"))
    for path, api in found:
        said = look_up(document.data, path)
        for key, names in AWS.items():
            variable = next((each for each in (name.format(api) for name in names) if environ.get(each)), None)
            if variable and key not in said:
                put(document, (*path, key), environ[variable], Place(variable))


def docker(document: Document, environ: Mapping[str, str]) -> None:
    """Let `DOCKER_HOST` and its companions say where the engine is, for `docker` sources that say no host.

    And for the registrar's engine.
    """
    engine = environ.get("DOCKER_HOST", "")
    sources = document.data.get("sources")
    places: list[Path] = []
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if isinstance(source, dict) and source.get("type", name) == "docker":
            places.append(("sources", name))
    register = document.data.get("register")
    if isinstance(register, dict) and isinstance(register.get("docker", {}), dict):
        places.append(("register", "docker"))
    for path in places if engine else ():
        said = look_up(document.data, path) or {}
        if "host" in said:
            continue
        put(document, (*path, "host"), engine, Place("DOCKER_HOST"))
        if environ.get("DOCKER_TLS_VERIFY") and "tls" not in said and engine.startswith("tcp://"):
            given = environ.get("DOCKER_CERT_PATH", "")
            folder = File(given) if given else File(environ.get("HOME", "/root")) / ".docker"
            origin = Place("DOCKER_CERT_PATH" if given else "DOCKER_TLS_VERIFY")
            for key in ("ca", "cert", "key"):
                put(document, (*path, "tls", key), str((folder / f"{key}.pem").absolute()), origin)
