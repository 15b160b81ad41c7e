"""From the configuration to running sources of a Swarm."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from longshore.config.swarm import SwarmSource
from longshore.core.drafts import OperatorService, Options
from longshore.core.model import Snapshot
from longshore.sources import swarm

Work = Callable[[], Coroutine[Any, Any, None]]


def swarm_work(
    name: str, source: SwarmSource, operator: tuple[OperatorService, ...], publish: Callable[[Snapshot], None]
) -> Work:
    """How to start the endless work of a source of type `swarm`."""
    return partial(swarm.watch, source, Options(name, source.expose, operator=operator), publish)
