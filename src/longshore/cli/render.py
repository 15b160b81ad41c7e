"""`longshore render`: the configuration that HAProxy would be started with, and its map files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.report import to_json
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.forerunners import by_environment, docker_discover_reader, reading, synapse_reader
from longshore.cli.offline import gather
from longshore.cli.options import AsJson, ConfigFile, DockerDiscover, Snapshot, Synapse
from longshore.cli.rendered import rendered
from longshore.cli.shown import problem_lines
from longshore.cli.text import clean, plural, say, say_json
from longshore.config import ConfigError, Loaded
from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.model import Problem, Service
from longshore.core.render import Paths

NEWEST = max(TYPICAL)
SERIES = ", ".join(f"{major}.{minor}" for major, minor in sorted(TYPICAL))


def render(
    *,
    config: ConfigFile = None,
    synapse: Synapse = None,
    docker_discover: DockerDiscover = False,
    snapshot: Snapshot = None,
    haproxy: Annotated[
        str, Parameter(show_default=True, help=f"For which HAProxy: {SERIES}.")
    ] = f"{NEWEST[0]}.{NEWEST[1]}",
    out: Annotated[
        Path | None, Parameter(help="Write haproxy.cfg and the maps into the folder haproxy/ of this one instead.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print the haproxy.cfg that HAProxy would be started with; the maps that go with it follow as comments.

    Needs no engine, no HAProxy and no root. With --out, try it with: haproxy -c -f DIR/haproxy/haproxy.cfg
    Problems are on stderr, and make it end with 1; what is not concerned is rendered all the same.
    """
    caps = _capabilities(haproxy)
    synapse = by_environment("SYNAPSE_CONFIG", synapse, os.environ, config, docker_discover)
    try:
        foreign = {
            "--synapse": synapse_reader(synapse, os.environ),
            "--docker-discover": docker_discover_reader(docker_discover, os.environ),
        }
        loaded = reading(config, os.environ, foreign)()
        settings = loaded.config
    except ConfigError as error:
        print(*problem_lines(p.as_problem() for p in error.problems), sep="\n", file=sys.stderr)
        return FINDING
    found = gather(loaded, snapshot)
    found.notes += map(str, loaded.notes)
    problems = [*(problem.as_problem() for problem in loaded.set_aside), *found.problems]
    state = out.absolute() if out else settings.state_dir
    try:
        paths = Paths(str(state))
        made = rendered(loaded, paths, caps, found.services, problems)
    except ValueError as error:
        raise End(FINDING, f"cannot be rendered: {error}") from None
    if out:
        made.write(paths)
    if as_json:
        answer = {"config": made.text, "maps": made.maps, "problems": to_json(problems), "notes": found.notes}
        say_json(answer)
    elif out:
        say(f"{paths.config} and {plural(len(made.maps), 'map')} written")
    else:
        sys.stdout.write(made.text + "".join(_comment(path, content) for path, content in made.maps.items()))
    print(
        *(f"note: {clean(note)}" for note in found.notes), *problem_lines(problems), sep="\n", end="", file=sys.stderr
    )
    if found.notes or problems:
        print(file=sys.stderr)
    return FINDING if problems else FINE


def _capabilities(series: str) -> Capabilities:
    try:
        major, minor = series.split(".")[:2]
        return TYPICAL[int(major), int(minor)]
    except (ValueError, KeyError):
        raise End(USAGE, f"HAProxy {series!r} is not known here", f"known: {SERIES}") from None


def files_of(
    loaded: Loaded, paths: Paths, caps: Capabilities, services: tuple[Service, ...], problems: list[Problem]
) -> tuple[str, dict[str, str]]:
    """The configuration, and the content of each map by its path. Services that cannot be rendered become problems."""
    made = rendered(loaded, paths, caps, services, problems)
    return made.text, made.maps


def _comment(path: str, text: str) -> str:
    return f"\n# {path}\n" + "".join(f"#   {line}\n" for line in text.splitlines() or ["(empty)"])
