"""`longshore events`: the agent's journal."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.cli.ask import agent
from longshore.cli.ending import FINE
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
    """Print what happened lately and why: endpoints that came and went, reloads, problems.

    With --follow and --json each line is one JSON object.
    """
    ask = agent(state_dir, config)
    if follow:
        for event in ask.follow("/v1/events", {"follow": "true"}):
            print(json.dumps(event, ensure_ascii=False) if as_json else _line(event), flush=True)
        return FINE
    found = ask.get("/v1/events")
    if as_json:
        say_json(found)
    else:
        say(*map(_line, found["events"]))
    return FINE


def _line(event: Any) -> str:
    return event_line(event["at"], event["what"], event.get("why", ""))
