"""From the configuration to running sources that are somebody's API: Marathon, EC2. They are followed like registries.

What they tell becomes entries, which only those services see that pick them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from longshore.agent.connect_origins import picked
from longshore.config.ec2 import Ec2Source
from longshore.config.load import Loaded
from longshore.config.marathon import MarathonSource
from longshore.core.conditions import read as condition
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Snapshot
from longshore.core.origins import service_of
from longshore.core.registered import Options, Pick, build
from longshore.sources import registered
from longshore.sources.ec2 import Ec2Adapter
from longshore.sources.marathon import Asked, MarathonAdapter, tag
from longshore.sources.registered import Adapter, Gate, Patience

Work = Callable[[], Coroutine[Any, Any, None]]
Api = MarathonSource | Ec2Source
SLOWLY = Patience(first=1.0, longest=30.0)
"""How AWS is asked again: who asks it too often is refused for longer."""


def api_work(
    loaded: Loaded, name: str, source: Api, publish: Callable[[Snapshot], None], last: Snapshot | None, gate: Gate
) -> Work:
    """How to start the endless work of such a source. `last` is its snapshot of an earlier life."""
    options = options_of(loaded, name, source)
    patience = SLOWLY if isinstance(source, Ec2Source) else Patience()
    adapter = adapter_of(loaded, name, source)
    return partial(registered.watch, options, adapter, publish, last=last, gate=gate, patience=patience)


def unasked(loaded: Loaded, name: str, source: Api) -> Snapshot:
    """What can be known without asking anybody: services without endpoints."""
    return Snapshot(name, *build({}, options_of(loaded, name, source)))


def options_of(loaded: Loaded, name: str, source: Api) -> Options:
    """How what a source finds becomes services: only as they are picked."""
    return Options(name, LAYOUTS["native"], "/", "named", picks=picks_of(loaded, name, source))


def picks_of(loaded: Loaded, name: str, source: Api) -> tuple[Pick, ...]:
    """The services of the configuration that are made of what a source finds."""
    if isinstance(source, MarathonSource):
        items = [(service, spec, item) for service, spec, item in picked(loaded, name) if item.app]
        return tuple(Pick(service, spec, item.app, tag=tag(item.port_index)) for service, spec, item in items)
    return tuple(
        Pick(service, spec, labels=tuple(map(condition, item.label)), port=item.port)
        for service, spec, item in picked(loaded, name)
    )


def adapter_of(loaded: Loaded, name: str, source: Api) -> Adapter:
    """What speaks to the API."""
    items = list(picked(loaded, name))
    if isinstance(source, MarathonSource):
        asked = {(item.app, item.port_index): service_of(service) for service, _, item in reversed(items) if item.app}
        return MarathonAdapter(source, [Asked(app, index, service) for (app, index), service in asked.items()])
    return Ec2Adapter(source, [tuple(map(condition, item.label)) for _, _, item in items], os.environ)
