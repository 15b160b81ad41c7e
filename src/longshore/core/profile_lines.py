"""The lines of a profile, group by group."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.core.capabilities import Capabilities
from longshore.core.model import Service
from longshore.core.paths import Paths


def lines_of(service: Service, caps: Capabilities, paths: Paths) -> Iterator[str]:
    """Yield the lines of a service's profile, without the mode."""
    yield f"balance {service.policy.balance}"
