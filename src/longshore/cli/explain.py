"""`longshore explain URL`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from longshore.cli.ask import agent
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.shown import explanation_lines
from longshore.cli.text import say, say_json
from longshore.core.explain import Explanation


def explain(
    url: Annotated[str, Parameter(help="http://host/path, host/path, host:port, or :port for TCP.")],
    /,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Say where a request for a URL goes, and why: frontend, look-ups, route, service, each endpoint with its state.

    Ends with 1 if no service would answer it.
    """
    answer = agent(state_dir, config).get("/v1/explain", {"url": url})
    if as_json:
        say_json(answer)
    else:
        say(*explanation_lines(_read(answer)))
    served = bool(answer["service"]) and (answer["status"] is None or answer["status"] < 400)
    return FINE if served else FINDING


def _read(answer: Any) -> Explanation:
    try:
        return TypeAdapter(Explanation).validate_python(answer)
    except ValidationError:
        raise End(FINDING, "the agent is of another version that is not understood here", "use --json") from None
