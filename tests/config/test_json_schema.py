"""The JSON Schema of the configuration file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from longshore.config import json_schema
from longshore.config.outline import settings
from longshore.core.keys import KEYS


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def alternatives(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema with its references followed, and the schemas it allows instead."""
    if "$ref" in schema:
        yield from alternatives(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    yield schema
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from alternatives(inner, root)


def test_it_is_json_and_every_reference_leads_somewhere() -> None:
    schema = json.loads(json.dumps(json_schema()))
    references = [found["$ref"] for found in objects(schema) if "$ref" in found]
    assert references
    assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in references)


def test_it_knows_every_setting() -> None:
    root = json_schema()
    for setting in settings():
        found = [root]
        for part in setting.path:
            below = [schema for start in found for schema in alternatives(start, root)]
            inner = [schema.get("properties", {}).get(part) for schema in below]
            inner += [schema.get("additionalProperties") for schema in below if part == "*"]
            found = [schema for schema in inner if isinstance(schema, dict)]
        assert found, setting.path


def test_every_section_refuses_unknown_keys() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)


def test_every_setting_and_every_key_is_described() -> None:
    schema = json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, property_ in section["properties"].items():
            assert property_.get("description"), (section["title"], name)
    assert KEYS.keys() <= schema["$defs"]["ServiceConfig"]["properties"].keys()


def test_short_forms_are_allowed() -> None:
    schema = json_schema()
    assert {"type": "string"} in schema["properties"]["frontends"]["additionalProperties"]["anyOf"]
    assert {"type": "null"} in schema["properties"]["sources"]["additionalProperties"]["anyOf"]
    endpoints = schema["$defs"]["ServiceConfig"]["properties"]["endpoints"]
    assert {"type": "string"} in endpoints["items"]["anyOf"]
