"""`longshore status`: everything the agent knows, for people or as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from longshore.agent.report import Status
from longshore.cli.ask import Ask, agents
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.shown import status_lines
from longshore.cli.text import say, say_json

SLICE = 20.0  # seconds that one question waits for a change
PACE = 0.5  # seconds between questions where two are asked: no one question waits for both


def status(
    *services: Annotated[str, Parameter(name="SERVICE", help="Show only these services.")],
    watch: Annotated[
        bool, Parameter(name=["--watch", "-w"], negative="", help="Show it again at every change.")
    ] = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Show sources, services with every endpoint, what is registered, problems, and what HAProxy runs.

    A balancer and a registrar that run beside each other are shown together. Ends with 1 while the agent is not ready
    yet, when a service of the configuration is set aside and not served at all, or when one asked for does not exist.
    With --watch and --json each line is one JSON object.
    """
    asks = agents(state_dir, config)
    answer = _whole(asks)
    while watch:
        _show(answer, services, as_json=as_json, again=True)
        answer = _next(asks, answer)
    _show(answer, services, as_json=as_json)
    if missing := sorted(set(services) - _names(answer)):
        known = ", ".join(sorted(_names(answer))[:20]) or "none"
        raise End(FINDING, f"there is no service {', '.join(missing)}", f"known services: {known}")
    return FINE if answer["ready"] and not answer.get("unserved") else FINDING


def _whole(asks: list[Ask]) -> Any:
    """The status of all that run here as one: the balancer's, with what a registrar beside it says."""
    answer, *others = (ask.get("/v1/status") for ask in asks)
    for other in others:
        answer |= {
            "registrar": other["registrar"],
            "problems": [*answer["problems"], *other["problems"]],
            "ready": answer["ready"] and other["ready"],
        }
    return answer


def _next(asks: list[Ask], before: Any) -> Any:
    """The status after something has changed. An agent that stays silent is asked again; one that is gone is an end."""
    if len(asks) == 1:
        return asks[0].get("/v1/status", {"after": before["seq"], "timeout": SLICE}, timeout=SLICE + 30.0)
    while (answer := _whole(asks)) == before:
        time.sleep(PACE)
    return answer


def _names(answer: Any) -> set[str]:
    """The services that are balanced or registered here."""
    leases = answer["registrar"]["leases"] if answer.get("registrar") else []
    return {service["name"] for service in answer["services"]} | {lease["service"] for lease in leases}


def _show(answer: Any, services: tuple[str, ...], *, as_json: bool, again: bool = False) -> None:
    if services:
        answer = answer | {"services": [service for service in answer["services"] if service["name"] in services]}
        if registrar := answer.get("registrar"):
            leases = [lease for lease in registrar["leases"] if lease["service"] in services]
            answer["registrar"] = registrar | {"leases": leases}
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
