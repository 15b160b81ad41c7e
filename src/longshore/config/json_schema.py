"""The JSON Schema of `longshore.yaml`, for editors and for `longshore schema`."""

from __future__ import annotations

from typing import Any

from longshore.config.schema import Config
from longshore.core.keys import KEYS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCALAR = ["string", "number", "boolean", "array"]


def json_schema() -> dict[str, Any]:
    """Describe the file: every key with its meaning, its default and what it accepts."""
    schema = Config.model_json_schema(by_alias=True)
    schema["title"] = "longshore.yaml"
    for section in ("ServiceConfig", "RegisteredProcess"):
        service = schema["$defs"][section]
        service["additionalProperties"] = False
        for name, key in KEYS.items():
            words = {"description": key.summary, "examples": [key.example], "type": SCALAR}
            service["properties"].setdefault(name, words)
    _short_forms(schema)
    return {"$schema": DIALECT} | schema


def _short_forms(schema: dict[str, Any]) -> None:
    """Allow the short forms that the models take apart before they look."""
    text = {"type": "string"}
    texts = {"type": "array", "items": text, "minItems": 1}
    frontends = schema["properties"]["frontends"]
    frontends["additionalProperties"] = {"anyOf": [text, texts, frontends["additionalProperties"]]}
    for key in ("endpoints", "fallback"):
        endpoints = schema["$defs"]["ServiceConfig"]["properties"][key]
        endpoints["items"] = {"anyOf": [text, endpoints["items"]]}
    picked = schema["$defs"]["From"]["properties"]
    for key in ("label", "nameserver"):
        picked[key] |= {"type": ["string", "array"]}
    sources = schema["properties"]["sources"]
    sources["additionalProperties"] = {"anyOf": [{"type": "null"}, sources["additionalProperties"]]}
