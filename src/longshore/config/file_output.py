"""The section `file-output`: who serves what, as JSON files for other programs, as Synapse wrote them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from longshore.config.fields import FilePath, Name, listed, schema
from longshore.config.section import Section

Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(listed),
    schema(type=["string", "array"], items={"type": "string"}, examples=[["web", "db"]]),
]


class FileOutputConfig(Section):
    """Files `<directory>/<service>.json` with an array of endpoints each: name, host, port, id, weight."""

    directory: FilePath
    """The folder; it is made if it does not exist. Other files in it are left alone."""
    services: Names | None = None
    """Which services are written; default: all."""
