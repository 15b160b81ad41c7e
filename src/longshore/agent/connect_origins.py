"""From the configuration's services to what each source is to find for them."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.config.load import Loaded
from longshore.config.services import From
from longshore.core.spec import Spec


def picked(loaded: Loaded, source: str) -> Iterator[tuple[str, Spec, From]]:
    """Every item of `from` that names this source, with the service that is made of it."""
    for name, service in loaded.config.services.items():
        for item in service.origins:
            if item.source == source and name in loaded.specs:
                yield name, loaded.specs[name], item
