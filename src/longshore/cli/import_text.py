"""A forerunner's configuration as the text of a longshore.yaml: what it says, and above each line what it means now."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from longshore.config.document import Document, parse
from longshore.config.problems import ConfigProblem, Path
from longshore.config.schema import Config

WIDTH = 120
MADE = "# Made by longshore import"
AMBIGUOUS = re.compile(
    r"y|n|yes|no|on|off|[-+]?[0-9][0-9_]*(?::[0-9]+)+(?:\.[0-9]*)?", re.IGNORECASE | re.ASCII
)  # YAML 1.1


def as_yaml(
    data: Mapping[str, Any], source: str, notes: Iterable[ConfigProblem], aside: Iterable[ConfigProblem]
) -> str:
    """Spell a configuration; `source` is where it comes from, `aside` what is left out of it."""
    text = _dumped(_arranged(data))
    lines = text.splitlines()
    where = parse(text.encode(), "longshore.yaml")
    above: dict[int, list[str]] = {}
    for note in dict.fromkeys(notes):
        line = _line(where, note.steps)
        indent = len(lines[line - 1]) - len(lines[line - 1].lstrip()) if line else 0
        above.setdefault(line, []).extend(_comment(f"{note.place}: {_said(note)}", indent))
    body = [each for number, line in enumerate(lines, 1) for each in (*above.get(number, ()), line)]
    left = [line for problem in aside for line in _comment(f"{problem.place}: {_called(problem)}{_said(problem)}")]
    head = [f"{MADE} from {one_line(source)}", *above.get(0, ())]
    tail = ["", "# Left out, because it cannot be served as it is:", *left] if left else []
    return "\n".join([*head, "", *body, *tail]) + "\n"


def one_line(text: str) -> str:
    """Text that ends no comment."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _arranged(data: Mapping[str, Any]) -> dict[str, Any]:
    """The sections in the order of the reference. Nothing is listened to or discovered but what is said."""
    said = {"frontends": {}, "sources": {}} | {key: value for key, value in data.items() if value is not None}
    order = [info.alias or name for name, info in Config.model_fields.items()]
    return dict(sorted(said.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


class _Representer(RoundTripRepresenter):
    """Quotes what other readers of YAML take for something else than text: on, no, 12:30."""

    def represent_str(self, data: str) -> Any:
        style = "'" if AMBIGUOUS.fullmatch(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Representer.add_representer(str, _Representer.represent_str)


def _dumped(data: Mapping[str, Any]) -> str:
    yaml = YAML(pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 10 * WIDTH  # a text on two lines is no help for people
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def _line(where: Document, steps: Path) -> int:
    """The line of a path, or of the nearest thing around it; 0 for the whole."""
    while steps:
        if place := where.keys.get(steps) or where.values.get(steps):
            return place.line
        steps = steps[:-1]
    return 0


def _said(problem: ConfigProblem) -> str:
    return problem.what + (f"; {problem.hint}" if problem.hint else "")


def _called(problem: ConfigProblem) -> str:
    return f"{problem.path}: " if problem.path else ""


def _comment(text: str, indent: int = 0) -> list[str]:
    """A comment, wrapped at blanks."""
    lines, line = [], ""
    for word in one_line(text).split(" "):
        if line and len(line) + len(word) + indent + 3 > WIDTH:
            lines.append(line)
            line = ""
        line += f" {word}" if line else word
    return [f"{' ' * indent}# {each}" for each in (*lines, line)]
