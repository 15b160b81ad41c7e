"""A Compose file: what the labels of its services would give, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from longshore.agent.doctor.finding import Finding, fine
from longshore.core import labels, spec
from longshore.core.conflicts import text_of
from longshore.core.grouping import tidy
from longshore.core.values import RefusedError

LARGEST = 2**20
_VARIABLE = re.compile(r"\$\$|\$\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\}|\$(?P<bare>\w+)")


def compose(path: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Look at every service that has labels of ours. `environ` fills in variables, as Compose does."""
    try:
        text = path.read_bytes()[:LARGEST].decode()
        data = YAML(typ="rt").load(text)
    except OSError as error:
        return [Finding(str(path), f"cannot be read: {error.strerror or error}", "name a Compose file")]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        return [Finding(where, f"is not valid YAML: {error.problem}", "`docker compose config` says more")]
    except (YAMLError, ValueError, RecursionError) as error:
        return [Finding(str(path), f"is not valid YAML: {error}", "name a Compose file")]
    services = data.get("services") if isinstance(data, Mapping) else None
    if not isinstance(services, Mapping):
        return [Finding(str(path), "has no services", "name a Compose file")]
    project = str(environ.get("COMPOSE_PROJECT_NAME") or data.get("name") or path.resolve().parent.name).lower()
    found = [each for name, said in services.items() for each in _service(path, project, str(name), said, environ)]
    return found or [Finding(str(path), "no service has a label of longshore's", "see docs/reference/keys.md")]


def _service(path: Path, project: str, name: str, said: Any, environ: Mapping[str, str]) -> Iterator[Finding]:
    given, lines = _labels(said, environ)
    if not any(label.startswith(labels.PREFIX) for label in given):
        return
    where = f"{path}: service {name}"

    def at(label: str) -> str:
        line = lines.get(label)
        return f"{path}:{line}: service {name}" if line else where

    for label, value in given.items():
        if not isinstance(value, str):
            word = "true" if value is True else "false" if value is False else value
            yield Finding(at(label), f"label {label}: Compose wants text", f'write it in quotes: "{word}"')
    pairs = labels.split({label: _text(value) for label, value in given.items()}, where)
    if pairs.off:
        yield fine(where, "is switched off by its labels")
    for problem in pairs.problems:
        label = next((label for label in lines if f"label {label}:" in f"{problem.what}:"), "")
        yield Finding(at(label), problem.what, problem.hint)
    for own, keys in pairs.services.items():
        prefix = f"{labels.PREFIX}{own}." if own else labels.PREFIX
        wanted, faults = spec.check(dict(keys))
        for fault in faults:
            what = f"label {prefix}{fault.key}: {fault.what}" if fault.key else fault.what
            yield Finding(at(f"{prefix}{fault.key}"), what, fault.hint)
        if wanted is not None:
            yield from _given(where, own or wanted.service or tidy(f"{project}-{name}"), wanted, said)


def _given(where: str, name: str, wanted: spec.Spec, said: Any) -> Iterator[Finding]:
    """What a service of ours would be."""
    try:
        mode, routes, _ = spec.service_parts(wanted, name)
    except RefusedError as refusal:
        yield Finding(where, str(refusal), refusal.hint)
        return
    listed = ", ".join(text_of(route, mode) for route in routes or (spec.default_route(name),))
    ports = _ports(said)
    if wanted.port is None and len(ports) > 1:
        several = ", ".join(map(str, sorted(ports)))
        yield Finding(where, f"has several ports ({several}) and no label says which", "set longshore.port")
        return
    port = wanted.port or next(iter(ports), None)
    yield fine(where, f"{name}: {listed}, port {port or 'as the image exposes it'}")


def _labels(said: Any, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, int]]:
    """The labels of a service, and the lines they stand in, where that is known."""
    given = said.get("labels") if isinstance(said, Mapping) else None
    if isinstance(given, Mapping):
        values = {str(label): _filled(value, environ) for label, value in given.items()}
        return values, {str(label): _line(given, label) for label in given}
    if isinstance(given, list):
        pairs = [str(_filled(each, environ)).partition("=") for each in given]
        return {key: value for key, _, value in pairs}, {key: _line(given, i) for i, (key, _, _) in enumerate(pairs)}
    return {}, {}


def _line(node: Any, key: Any) -> int:
    """The line of a key or an item, from 1; 0 if it comes from elsewhere (a merged mapping)."""
    try:
        return int(node.lc.data[key][0]) + 1
    except (AttributeError, KeyError, TypeError, IndexError):
        return 0


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    """Fill in variables: $NAME, ${NAME}, ${NAME:-default}; $$ is a dollar."""
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        return (environ.get(name) or match["default"] or "") if name else "$"

    return _VARIABLE.sub(fill, value)


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else "" if value is None else str(value)


def _ports(said: Any) -> set[int]:
    """The container's TCP ports that a service names in `expose` and `ports`."""
    found: set[int] = set()
    for each in (*_listed(said, "expose"), *_listed(said, "ports")):
        if isinstance(each, Mapping):
            text = "" if each.get("protocol", "tcp") != "tcp" else str(each.get("target", ""))
        else:
            text = str(each).rpartition(":")[2].removesuffix("/tcp")
        if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
            found.add(int(text))
    return found


def _listed(said: Any, key: str) -> list[Any]:
    value = said.get(key) if isinstance(said, Mapping) else None
    return list(value) if isinstance(value, list) else []
