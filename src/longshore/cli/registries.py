"""What commands around registries share: the configuration's registries by name, and how their trouble ends a command.

They speak to the registry itself; no agent is needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.registry_read import Reading, readings
from longshore.cli.ending import FINDING, USAGE, End
from longshore.clients.registry_faults import RegistryError
from longshore.config import ConfigError, Loaded, load
from longshore.config.registries import WRITABLE

Source = Annotated[str, Parameter(name="SOURCE", help="A registry among the configuration's `sources`, by its name.")]


def loaded(config: Path | None) -> Loaded:
    """Read the configuration, or end."""
    found = load(config, os.environ)
    try:
        assert found.config
    except ConfigError as error:
        hint = "`longshore check` checks it without starting anything"
        raise End(FINDING, "\n".join(map(str, error.problems)), hint) from None
    return found


def known(found: Loaded) -> Mapping[str, Reading]:
    """Give the registries of the configuration, or end if there is none."""
    registries = readings(found)
    if not registries:
        where = found.path or "the configuration (there is no file, so the defaults)"
        what = f"{where} has no registry among its sources"
        raise End(FINDING, what, "add one, like `sources: {etcd: {}}`, or name another file with --config")
    return registries


def chosen(registries: Mapping[str, Reading], name: str) -> Reading:
    """Give one of them, or end."""
    if name not in registries:
        raise End(USAGE, f"there is no registry {name} in the configuration", f"it has: {', '.join(registries)}")
    return registries[name]


def writable(reading: Reading) -> Reading:
    """Give it back if its layout can be written, or end."""
    kinds = WRITABLE[reading.source.type]
    if reading.source.layout not in kinds:
        what = f"registry {reading.name} has the layout {reading.source.layout}, which longshore only reads"
        raise End(FINDING, what, f"expected one of: {', '.join(kinds)}")
    return reading


def trouble(error: RegistryError) -> End:
    """End with what a registry said."""
    return End(FINDING, error.what, error.hint)
