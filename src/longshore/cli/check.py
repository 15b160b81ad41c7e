"""`longshore check`: everything that is wrong with the configuration and with labels, at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.certificates import Certificates
from longshore.agent.report import to_json
from longshore.cli.ending import FINDING, FINE
from longshore.cli.forerunners import any_forerunner
from longshore.cli.offline import Offline, gather
from longshore.cli.options import NO_FORERUNNER, AsJson, ConfigFile, Forerunners, Snapshot
from longshore.cli.own_lines import judged
from longshore.cli.shown import problem_lines
from longshore.cli.text import clean, columns, plural, say, say_json
from longshore.config import Loaded
from longshore.config.document import content, unreadable
from longshore.config.schema import Config
from longshore.core.conflicts import text_of
from longshore.core.model import Problem

SECRETS = ("password_file", "auth_file", "token_file", "secret_access_key_file")


def check(
    *,
    config: ConfigFile = None,
    forerunner: Forerunners = NO_FORERUNNER,
    snapshot: Snapshot = None,
    origins: Annotated[
        bool, Parameter(negative="", help="Also list every setting, and where its value comes from.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check the configuration, the files it names and, with --snapshot, containers' labels. Nothing is started.

    Needs no engine, no HAProxy and no root; lines of your own (raw) are judged by HAProxy where there is one. Ends
    with 1 if there is any problem.
    """
    loaded, name = any_forerunner(config, os.environ, forerunner)
    found = gather(loaded, snapshot) if loaded.valid else Offline()
    found.notes += (*missing_secrets(loaded.valid), *missing_certificates(loaded.valid)) if loaded.valid else ()
    found.notes += map(str, loaded.notes)
    refused, said = judged(loaded, found.services) if loaded.valid else ([], [])
    found.notes += said
    problems = [*(p.as_problem() for p in (*loaded.problems, *loaded.set_aside)), *found.problems, *refused]
    if as_json:
        say_json(_answer(name or loaded.path, loaded, found, problems, origins=origins))
    else:
        _tell(name or loaded.path, loaded, found, problems, origins=origins)
    return FINDING if problems else FINE


def missing_secrets(config: Config) -> Iterator[str]:
    """Files with secrets that cannot be read, here and by this user. Where the agent runs they may well be."""
    sections: dict[str, object] = {"admin": config.admin}
    sections |= {f"sources.{name}": source for name, source in config.sources.items()}
    sections |= {f"services.{name}.from-toggle": service.from_toggle for name, service in config.services.items()}
    for where, section in sections.items():
        for key in SECRETS:
            path = getattr(section, key, None)
            if path is None:
                continue
            try:
                content(path)
            except OSError as error:
                found = unreadable(error, path).problems[0]
                yield f"{where}.{key.replace('_', '-')}: {path} {found.text} (here)"


def missing_certificates(config: Config) -> Iterator[str]:
    """Certificates of frontends that are of no use, here and to this user: such a frontend is left out meanwhile."""
    for name, frontend in config.frontends.items():
        if frontend.tls is None:
            continue
        path = frontend.tls.certificates
        with tempfile.TemporaryDirectory(prefix="longshore-check-") as copies:
            looked = Certificates([path], Path(copies), lambda changes: None)
            looked.look()
        for each in looked.problems:
            what = each.what if path.exists() else "does not exist"
            where = each.where.removeprefix("certificates ").removeprefix("certificate ")
            yield f"frontends.{name}.tls.certificates: {where} {what} (here)"


def _answer(
    path: Path | None, loaded: Loaded, found: Offline, problems: list[Problem], *, origins: bool
) -> dict[str, object]:
    answer: dict[str, object] = {
        "valid": not problems,
        "config": str(path) if path else None,
        "problems": to_json(problems),
        "notes": found.notes,
        "services": to_json(found.services),
    }
    if origins:
        answer["origins"] = to_json(dict(loaded.origins))
    return answer


def _tell(path: Path | None, loaded: Loaded, found: Offline, problems: list[Problem], *, origins: bool) -> None:
    if origins and loaded.origins:
        say(*columns((setting, origin.value, origin.where) for setting, origin in loaded.origins.items()), "")
    if found.services:
        rows = (
            (
                service.name,
                plural(len(service.endpoints), "endpoint"),
                ", ".join(text_of(route, service.mode) for route in service.routes) or "no route",
            )
            for service in found.services
        )
        say("services", *columns(rows, "  "))
    say(*(f"note: {clean(note)}" for note in found.notes))
    say(*problem_lines(problems))
    name = path or "no configuration file, so the defaults"
    say(f"{name}: {plural(len(problems), 'problem') if problems else 'fine'}")
