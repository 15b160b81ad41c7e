"""`longshore status`: everything the agent knows, for people or as JSON."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from longshore.agent.report import Status
from longshore.cli.ask import agent
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.shown import status_lines
from longshore.cli.text import say, say_json

SLICE = 20.0  # seconds that one question waits for a change


def status(
    *services: Annotated[str, Parameter(name="SERVICE", help="Show only these services.")],
    watch: Annotated[
        bool, Parameter(name=["--watch", "-w"], negative="", help="Show it again at every change.")
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Show sources, services with every endpoint, problems, and what HAProxy runs.

    Ends with 1 while the agent is not ready yet, or when a service asked for does not exist. With --watch and --json
    each line is one JSON object.
    """
    ask = agent(state_dir, config)
    answer = ask.get("/v1/status")
    while watch:
        _show(answer, services, as_json=as_json, again=True)
        # An agent that stays silent for a while is asked again; one that is gone ends the watch.
        answer = ask.get("/v1/status", {"after": answer["seq"], "timeout": SLICE}, timeout=SLICE + 30.0)
    _show(answer, services, as_json=as_json)
    if missing := sorted(set(services) - {service["name"] for service in answer["services"]}):
        known = ", ".join(sorted(service["name"] for service in answer["services"])[:20]) or "none"
        raise End(FINDING, f"there is no service {', '.join(missing)}", f"known services: {known}")
    return FINE if answer["ready"] else FINDING


def _show(answer: Any, services: tuple[str, ...], *, as_json: bool, again: bool = False) -> None:
    if services:
        answer = answer | {"services": [service for service in answer["services"] if service["name"] in services]}
    if as_json and again:
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    elif as_json:
        say_json(answer)
    else:
        if again and sys.stdout.isatty():
            print("\x1b[H\x1b[J", end="")
        say(*status_lines(_read(answer), brief=bool(services)))
        sys.stdout.flush()


def _read(answer: Any) -> Status:
    try:
        return TypeAdapter(Status).validate_python(answer)
    except ValidationError:
        version = answer.get("version", "?")
        hint = "use --json, or the longshore command of the agent's version"
        raise End(FINDING, f"the agent is of another version ({version}) that is not understood here", hint) from None
