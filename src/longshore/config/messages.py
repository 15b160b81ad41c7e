"""Pydantic's findings as sentences for people, at the place where the value was written."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from longshore.config.document import Document
from longshore.config.outline import keys_at
from longshore.config.problems import ConfigProblem, Path, suggestion
from longshore.core.values import RefusedError, shown

EXPECTED = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "bool_type": "expected true or false",
    "dict_type": "expected a mapping (`key: value`)",
    "model_type": "expected a mapping (`key: value`)",
    "model_attributes_type": "expected a mapping (`key: value`)",
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
    "string_too_short": "expected something, it is empty",
}


def problems_of(error: ValidationError, document: Document, beneath: Path = ()) -> list[ConfigProblem]:
    """Say everything that a validation found. `beneath` is the path of what was validated."""
    return [_problem(found, document, beneath) for found in error.errors(include_url=False)]


def _problem(found: ErrorDetails, document: Document, beneath: Path) -> ConfigProblem:
    path, key = _written(found, document, beneath)
    what, hint = _sentence(found, document, path)
    return ConfigProblem(document.place(path, key=key), what, path, hint)


def _written(found: ErrorDetails, document: Document, beneath: Path) -> tuple[Path, bool]:
    """The path as it is in the file, without what pydantic adds, and whether the key is meant rather than the value."""
    key = found["type"] == "extra_forbidden"
    data = look_up(document.data, beneath)
    path: Path = beneath
    for part in found["loc"]:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if part == "[key]":
            key = True
        elif inside:
            path, data = (*path, part), data[part]
        elif found["type"] == "missing" and part is found["loc"][-1]:
            return (*path, part), True
    return path, key


def look_up(data: Any, path: Path) -> Any:
    """What plain data holds at a path, None if nothing."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _sentence(found: ErrorDetails, document: Document, path: Path) -> tuple[str, str]:
    kind, context = found["type"], found.get("ctx", {})
    match kind:
        case "extra_forbidden":
            around = look_up(document.data, path[:-1])
            of_type = around.get("type", path[-2] if len(path) > 1 else None) if isinstance(around, dict) else None
            return "unknown key", suggestion(str(path[-1]), keys_at(path[:-1], of_type))
        case "missing":
            return "is missing", ""
        case "source_type":
            hint = suggestion(str(context.get("given", path[-1])), str(context.get("known", "")).split(", "))
            return found["msg"], hint if hint.startswith("did you mean") else ""  # the known are said already
        case "value_error":
            error = context["error"]
            return str(error), error.hint if isinstance(error, RefusedError) else ""
        case "literal_error":
            what = f"expected {context['expected']}".replace("'", '"')
            return f"{what}{_got(found['input'])}", ""
        case "greater_than_equal":
            return f"expected at least {context['ge']}{_got(found['input'])}", ""
        case "less_than_equal":
            return f"expected at most {context['le']}{_got(found['input'])}", ""
        case "string_type" if isinstance(found["input"], (int, float)):
            return f"expected text{_got(found['input'])}", "put it in quotes"
        case _ if kind in EXPECTED:
            return f"{EXPECTED[kind]}{_got(found['input'])}", ""
        case _:
            return found["msg"], ""


def _got(value: object) -> str:
    """What was found instead, when it is short enough to help."""
    match value:
        case bool():
            return f", got {str(value).lower()}"
        case int() | float():
            return f", got the number {value}"
        case str() if value:
            return f", got {shown(value)}"
        case list() | tuple() if value:
            return ", got a list"
        case dict():
            return ", got a mapping"
        case _:
            return ", got nothing" if value is None else ""
