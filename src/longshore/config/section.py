"""The base of every part of the configuration: immutable, strict, kebab-case, no unknown keys.

Attributes are `snake_case`, the file says `kebab-case`. Code and tests may construct sections by attribute name; the
loader accepts the file's spelling only.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


def kebab(name: str) -> str:
    """Spell an attribute as the configuration file does: `state_dir` is `state-dir`, `from_` is `from`."""
    return name.rstrip("_").replace("_", "-")


class Section(BaseModel):
    """One mapping of the configuration file."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=kebab,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
