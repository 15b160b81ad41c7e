"""`longshore health`: whether the longshore beside it is well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.report import PARTLY
from longshore.cli.ask import agent
from longshore.cli.ending import FINDING, UNREACHABLE, End
from longshore.cli.options import ConfigFile, StateDir
from longshore.cli.text import say
from longshore.cli.well import BALANCER, ENGINE, ask


def health(
    *,
    socket_proxy: Annotated[
        Path | None,
        Parameter(name="--socket-proxy", help="Ask the socket proxy at this socket, and through it the engine."),
    ] = None,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> None:
    """Tell whether the balancer serves: longshore answers, and HAProxy runs what the sources said.

    Ends with 0 when it does, 1 when not yet or when a service of the configuration is set aside and not served at all,
    3 when nothing answers.
    """
    path = socket_proxy or agent(state_dir, config).path
    status, said = ask(os.fspath(path), ENGINE if socket_proxy else BALANCER)
    if status != 200:
        raise End(FINDING if status else UNREACHABLE, f"{path}: {said}")
    if said == PARTLY:
        raise End(FINDING, f"{path}: {said}", "`longshore status` says which, and why")
    say("well")
