"""`longshore schema`."""

from __future__ import annotations

from longshore.cli.options import AsJson
from longshore.cli.text import say_json


def schema(*, as_json: AsJson = True) -> None:
    """Print the JSON Schema of longshore.yaml, for editors that complete and check it."""
    from longshore.config import json_schema

    say_json(json_schema())
