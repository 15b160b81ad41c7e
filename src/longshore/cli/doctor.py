"""`longshore doctor`: finds trouble and says the cure."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.agent.doctor.finding import Finding
from longshore.agent.doctor.rounds import Running, examine
from longshore.cli.ask import REGISTER_SOCKET, SOCKET, Ask
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.forerunners import any_forerunner
from longshore.cli.options import NO_FORERUNNER, AsJson, ConfigFile, Forerunners, StateDir
from longshore.cli.text import Progress, clean, paint, plural, say, say_json
from longshore.config import Loaded
from longshore.core.model import Problem


def doctor(
    compose_file: Annotated[
        Path | None, Parameter(name="COMPOSE_FILE", help="Look at the labels of this Compose file's services too.")
    ] = None,
    /,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
    forerunner: Forerunners = NO_FORERUNNER,
) -> int:
    """Find out what is wrong here, or will be, and say what to do about it. Changes nothing.

    Looks at the configuration, this machine (state directory, HAProxy, addresses, certificates), engines and their
    containers' labels, registries (every server, versions, clocks, every entry and whether it accepts a connection from
    here), and at what the running agent complains of. Ends with 1 if anything is wrong.
    """
    environ = os.environ | ({"LONGSHORE_STATE_DIR": str(state_dir.absolute())} if state_dir else {})
    loaded, name = any_forerunner(config, environ, forerunner)
    loaded = replace(loaded, path=name) if name else loaded
    findings = asyncio.run(_gather(loaded, compose_file, environ, as_json=as_json))
    trouble = [finding for finding in findings if not finding.fine]
    if as_json:
        good = [finding for finding in findings if finding.fine]
        say_json({"findings": [_json(each) for each in trouble], "fine": [_json(each) for each in good]})
    else:
        say(f"{plural(len(trouble), 'finding')}" if trouble else "everything is fine")
    return FINDING if trouble else FINE


async def _gather(
    loaded: Loaded, compose_file: Path | None, environ: Mapping[str, str], *, as_json: bool
) -> list[Finding]:
    progress = Progress()
    found: dict[Finding, None] = {}
    try:
        running = await asyncio.to_thread(_agents, loaded)
        show = progress.show if sys.stderr.isatty() else _say_nothing
        async for finding in examine(loaded, show, running=running, compose_file=compose_file, environ=environ):
            if finding not in found:
                found[finding] = None
                progress.done()
                if not as_json:
                    say(*_lines(finding))
    finally:
        progress.done()
    return list(found)


def _say_nothing(text: str) -> None:
    """Nobody sees what only a terminal can show and take back."""


def _lines(finding: Finding) -> list[str]:
    said = f"{clean(finding.where)}: {clean(finding.what)}"
    if finding.fine:
        return [f"{paint('ok', 'green')}   {said}"]
    return [f"{paint('!!', 'red')}   {said}", *([f"       {clean(finding.hint)}"] if finding.hint else [])]


def _json(finding: Finding) -> dict[str, Any]:
    said = {"where": finding.where, "what": finding.what}
    return said if finding.fine else said | {"hint": finding.hint}


def _agents(loaded: Loaded) -> Running:
    """What runs with this state directory, and what it says is wrong."""
    if loaded.valid is None:
        return Running()
    folder = loaded.valid.state_dir
    balancer, registrar = Ask(folder / SOCKET), Ask(folder / REGISTER_SOCKET)
    there = [ask for ask in (balancer, registrar) if ask.is_there]
    found = tuple(problem for ask in there for problem in _problems(ask))
    return Running(balancer in there, registrar in there, found)


def _problems(ask: Ask) -> list[Problem]:
    try:
        problems = ask.get("/v1/status", timeout=10.0)["problems"]
    except End as end:
        return [Problem("agent", end.what, end.hint)]
    return [Problem(each["where"], each["what"], each["hint"], each["service"]) for each in problems]
