"""`longshore events`: the agent's journal."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.cli.ask import Ask, agents
from longshore.cli.ending import FINE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.shown import event_line
from longshore.cli.text import say, say_json


def events(
    *,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", help="Go on with what happens next.")
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Print what happened lately and why: endpoints that came and went, entries in registries, reloads, problems.

    With --follow and --json each line is one JSON object.
    """
    asks = agents(state_dir, config)
    if follow:
        for event in _merged(asks):
            print(json.dumps(event, ensure_ascii=False) if as_json else _line(event), flush=True)
        return FINE
    found = sorted((event for ask in asks for event in ask.get("/v1/events")["events"]), key=lambda event: event["at"])
    if as_json:
        say_json({"events": found})
    else:
        say(*map(_line, found))
    return FINE


def _merged(asks: list[Ask]) -> Iterator[Any]:
    """The streams of all that run here as one, until all have ended."""
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def follow(ask: Ask) -> None:
        try:
            for event in ask.follow("/v1/events", {"follow": "true"}):
                told.put(event)
            told.put(None)
        except End as end:
            told.put(end)

    for ask in asks:
        threading.Thread(target=follow, args=(ask,), daemon=True).start()
    running = len(asks)
    while running:
        event = told.get()
        if isinstance(event, End) and running == 1:
            raise event
        if event is None or isinstance(event, End):
            running -= 1
        else:
            yield event


def _line(event: Any) -> str:
    return event_line(event["at"], event["what"], event.get("why", ""))
