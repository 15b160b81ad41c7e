"""What the configuration may contain, read off the models: for suggestions, environment variables and the reference.

A path with "*" stands for any name: ("sources", "*", "host").
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic.fields import FieldInfo

from longshore.config.schema import Config
from longshore.config.section import Section, kebab
from longshore.config.services import ServiceConfig
from longshore.core.keys import KEYS

Kind = Literal["text", "number", "switch", "list"]
Pattern = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that can be set."""

    path: Pattern
    kind: Kind


def alternatives(annotation: Any) -> list[Any]:
    """The types that an annotation allows, without `Annotated` and `None`."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return alternatives(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in alternatives(part) if kind is not type(None)]
    return [annotation]


def sections(annotation: Any) -> list[type[Section]]:
    """The sections that an annotation allows."""
    return [kind for kind in alternatives(annotation) if isinstance(kind, type) and issubclass(kind, Section)]


def items(annotation: Any) -> list[type[Section]]:
    """The sections that a list may hold."""
    lists = [kind for kind in alternatives(annotation) if typing.get_origin(kind) is tuple]
    return [section for kind in lists for section in sections(typing.get_args(kind)[0])]


def named(annotation: Any) -> Any:
    """What stands behind each name, when the annotation is a mapping of names; else None."""
    kinds = [kind for kind in alternatives(annotation) if typing.get_origin(kind) is dict]
    return typing.get_args(kinds[0])[1] if kinds else None


def fields(section: type[Section]) -> dict[str, FieldInfo]:
    """The keys of a section, as the file spells them."""
    return {kebab(attribute): info for attribute, info in section.model_fields.items()}


@functools.cache
def settings() -> tuple[Setting, ...]:
    """Every scalar or list that the configuration can hold."""
    return tuple(dict.fromkeys(_settings(Config, ())))


def _settings(section: type[Section], path: Pattern) -> Iterator[Setting]:
    for key, info in fields(section).items():
        yield from _beneath(info.annotation, (*path, key))
    if section is ServiceConfig:
        yield from (Setting((*path, key), "text") for key in KEYS)


def _beneath(annotation: Any, path: Pattern) -> Iterator[Setting]:
    if (each := named(annotation)) is not None:
        if "*" not in path:  # names beneath names, like labels, have no variable
            yield from _beneath(each, (*path, "*"))
    elif models := sections(annotation):
        for model in models:
            yield from _settings(model, path)
    else:
        yield Setting(path, _kind(alternatives(annotation)))


def _kind(allowed: list[Any]) -> Kind:
    if bool in allowed:
        return "switch"
    if int in allowed:
        return "number"
    return "list" if any(typing.get_origin(kind) is tuple for kind in allowed) else "text"


def keys_at(path: tuple[str | int, ...], kind: str | None = None) -> list[str]:
    """The keys that the mapping at a path may have; `kind` is its `type`, if it has one. Empty if anything goes."""
    found: list[Any] = [Config]
    for part in path:
        following: list[Any] = []
        for annotation in found:
            if (each := named(annotation)) is not None:
                following.append(each)
            elif isinstance(part, int):
                following += [arg for one in alternatives(annotation) for arg in typing.get_args(one)[:1]]
            else:
                following += [fields(model)[part].annotation for model in sections(annotation) if part in fields(model)]
        found = following
    models = [model for annotation in found for model in sections(annotation)]
    if kind is not None:
        models = [model for model in models if _default_type(model) == kind] or models
    keys = dict.fromkeys(key for model in models for key in fields(model))
    return [*keys, *(KEYS if ServiceConfig in models else ())]


def _default_type(model: type[Section]) -> object:
    return model.model_fields["type"].default if "type" in model.model_fields else None
