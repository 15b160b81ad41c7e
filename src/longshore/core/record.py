"""Layouts as plain JSON values and back: how a restarted longshore knows what the HAProxy it adopts was made from."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from longshore.core.render import Layout


def dump(version: int, layout: Layout, placed: Mapping[str, str]) -> dict[str, Any]:
    """The record of a layout and of which service each backend serves."""
    return {"version": version, "layout": dataclasses.asdict(layout), "placed": dict(placed)}


def load(version: int, value: Mapping[str, Any]) -> tuple[Layout, dict[str, str]]:
    """Read a record; raises ValueError, KeyError or TypeError if it is of another version or damaged."""
    if value["version"] != version:
        raise ValueError(f"a record of version {value['version']}, expected {version}")
    return read(Layout, value["layout"]), {str(k): str(v) for k, v in value["placed"].items()}


def read(kind: Any, value: Any) -> Any:
    """Build a value of a type made of dataclasses, tuples, unions with None, literals and plain values."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: read(hints[f.name], value[f.name]) for f in dataclasses.fields(kind) if f.init})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(read(arguments[0], each) for each in value)
        return tuple(read(each_kind, each) for each_kind, each in zip(arguments, value, strict=True))
    if origin in (Union, types.UnionType):
        return None if value is None else read(next(a for a in arguments if a is not type(None)), value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {arguments}")
        return value
    return kind(value) if kind is float else value
