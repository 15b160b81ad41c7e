"""From the configuration to running sources of a Swarm: through a manager, or through agents on its machines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from longshore.config.swarm import AgentsSource, SwarmSource
from longshore.core.drafts import OperatorService, Options
from longshore.core.model import Snapshot
from longshore.sources import agents, swarm

Publish = Callable[[Snapshot], None]
Work = Callable[[], Coroutine[Any, Any, None]]


def swarm_work(name: str, source: SwarmSource, operator: tuple[OperatorService, ...], publish: Publish) -> Work:
    """How to start the endless work of a source of type `swarm`."""
    return partial(swarm.watch, source, Options(name, source.expose, operator=operator), publish)


def agents_work(
    name: str, source: AgentsSource, operator: tuple[OperatorService, ...], publish: Publish, last: Snapshot | None
) -> Work:
    """How to start the endless work of a source of type `agents`. `last` is its snapshot of an earlier life."""
    options = Options(name, source.expose, source.group_by, operator=operator)
    return partial(agents.watch, source, options, publish, last=last)
