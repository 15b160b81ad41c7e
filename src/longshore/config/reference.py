"""The pages docs/reference/configuration.md and keys.md, made from the models: `script/generate-docs` writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from longshore.config.environment import variable
from longshore.config.outline import fields, items, named, sections
from longshore.config.register_process import RegisteredProcess
from longshore.config.schema import Config
from longshore.config.section import Section
from longshore.config.services import ServiceConfig
from longshore.core import keys

NAMED = {
    "frontends": "http",
    "sources": "docker",
    "services": "node",
    "register": "db",
    "sections": "listen",
}  # names that stand for any, in variables
CONFIGURATION = """\
# The configuration file

<!-- made by script/generate-docs: change the descriptions in src/longshore/config -->

longshore runs without any configuration: it listens for HTTP on `:80` (`:8080` when not root), follows the local Docker
engine and answers its own API on `127.0.0.1:8404`. All else is said in one YAML file:

```yaml
frontends:
  http: ":80"
  https: {bind: ":443", tls: {certificates: /etc/longshore/certs}}
haproxy: {stats: "127.0.0.1:1936", access-log: true}
sources:
  docker: {expose: labelled}
  file: {path: /etc/longshore/services.d}
services:
  node: {from: {image: local/nodeapp, port: 8000}, listen: ":8080", check: /}
  db: {tcp: ":5432", endpoints: ["10.0.0.5:5432", {address: vm1.internal, port: 5432, backup: true}]}
```

- **Which file.** The one of `--config`, else of the variable `LONGSHORE_CONFIG`, else `/etc/longshore/longshore.yaml`
  if it is there. A file in the working directory is never read by itself.
- **Mistakes.** `longshore check` names all of them at once, with line and column. Unknown keys are mistakes too. At a
  reload (SIGHUP) a file with mistakes changes nothing: the last good one stays in force.
- **Durations** are written `500ms`, `10s`, `1m`, `2h`, `1d`, or as a number of seconds. **Addresses** to listen on:
  `:80` (every IPv4 address), `127.0.0.1:80`, `[::]:80`. **Relative paths** start at the folder of the file.
- **YAML** is version 1.2: `on` and `12:30` are texts, texts that begin with `*` need quotes. A key said twice is a
  mistake.
- **Environment.** Every setting has a variable, which wins over the file; an empty one counts as not set. Lists are
  separated by commas. `longshore check --origins` says where each value comes from.
- **Editors** complete and check the file with the JSON Schema that `longshore schema` prints.

"""
KEYS = """\
# Keys: what can be said of a service

<!-- made by script/generate-docs: change the descriptions in src/longshore/core/keys.py -->

The same keys everywhere: as labels of a container (`longshore.<key>`, or `longshore.<service>.<key>` when one container
has several services), in `services:` of the configuration, and in the files of the source `file`. A key that does not
exist is a mistake with a suggestion, and a service with a mistake keeps its last good version.

Durations are written `500ms`, `10s`, `1m`, `2h`, or as a number of seconds.

"""


def configuration() -> str:
    """The page about the configuration file."""
    return CONFIGURATION + "\n".join(_section("longshore.yaml", Config, ()))


def keys_page() -> str:
    """The page about the keys of services."""
    return KEYS + keys.reference()


def pages() -> dict[str, str]:
    """Every page, by its file's name."""
    return {"configuration.md": configuration(), "keys.md": keys_page()}


def _section(title: str, section: type[Section], path: tuple[str, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{_line(section.__doc__)}\n"
    yield "| key | default | variable | meaning |\n|---|---|---|---|"
    inner = []
    for key, info in fields(section).items():
        below = (*path, key)
        each = named(info.annotation)
        nested = sections(info.annotation) or sections(each)
        yield f"| `{key}` | {_default(info)} | {_variable(below, each, nested)} | {_line(info.description)} |"
        inner += [(below, NAMED[key] if each else "", model) for model in nested]
        inner += [((*path, f"{key}[]"), "", model) for model in items(info.annotation) if model not in nested]
    if section is ServiceConfig:
        yield "| any [key](keys.md) | | `LONGSHORE_SERVICES_NODE_…` | the same as the labels of containers |"
    if section is RegisteredProcess:
        yield "| any other [key](keys.md) | | | written into the registry as label `longshore.<key>` |"
    yield ""
    for below, named_as, model in inner:
        name = (named_as,) if named_as else ()
        if name and "type" in model.model_fields:
            name = (str(model.model_fields["type"].default),)
        yield from _section(f"`{'.'.join((*below, *name))}`", model, (*below, *name))


def _variable(path: tuple[str, ...], each: Any, nested: list[type[Section]]) -> str:
    if nested or (each and path[-1] not in NAMED) or any(part.endswith("[]") for part in path):
        return ""
    return f"`{variable((*path, NAMED[path[-1]]) if each else path)}`"


def _default(info: FieldInfo) -> str:
    value: Any = info.get_default(call_default_factory=False)
    if info.is_required():
        return "needed"
    if value is PydanticUndefined or value in (None, (), "") or isinstance(value, Section):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(str(each) for each in value)}]`"
    if isinstance(value, float):
        return f"`{value / 3600:g}h`" if value >= 3600 else f"`{value / 60:g}m`" if value >= 60 else f"`{value:g}s`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
