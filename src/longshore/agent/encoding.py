"""The core's values as JSON and back, strictly: what does not fit its type is refused, never let into the core.

Fields that have their default value are left out, so a service takes a few dozen bytes, and a field that a later
version adds has its default when an older file is read.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
_PLAIN = (str, int, float, bool)


class MalformedError(ValueError):
    """A value that cannot have been written by `encode`."""


def encode(value: object) -> Any:
    """Return what `json.dumps` takes for a dataclass of dataclasses, tuples, enums and plain values."""
    if type(value) in _PLAIN or value is None:
        return value
    if isinstance(value, tuple):
        return [encode(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    kind: Any = type(value)
    fields = ((name, getattr(value, name), default) for name, default in _defaults(kind))
    return {name: encode(field) for name, field, default in fields if field != default}


def decode(kind: type[T], value: object) -> T:
    """Return the `kind` that `value` was made from; raise MalformedError."""
    try:
        return cast(T, _decode(kind, value))
    except MalformedError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise MalformedError(f"no {kind.__name__}: {error}") from None


def _decode(kind: Any, value: Any) -> Any:
    if kind in _PLAIN:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise MalformedError(f"{value!r} instead of {kind.__name__}")
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, list) or arguments[1:] != (Ellipsis,):
            raise MalformedError(f"{value!r} instead of a list")
        return tuple([_decode(arguments[0], each) for each in value])
    if origin is Literal:
        if value not in arguments:
            raise MalformedError(f"{value!r} instead of one of {arguments}")
        return value
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in arguments if each is not type(None))
        return None if value is None else _decode(inner, value)
    if issubclass(kind, enum.Enum):
        return kind(value)
    hints = _hints(kind)
    return kind(**{name: _decode(hints[name], each) for name, each in value.items() if name in hints})


@functools.cache
def _defaults(kind: type) -> tuple[tuple[str, object], ...]:
    """Each field's name and default; a field without one is never equal to it."""
    found = []
    for each in dataclasses.fields(kind):
        factory = each.default_factory
        found.append((each.name, each.default if factory is dataclasses.MISSING else factory()))
    return tuple(found)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
