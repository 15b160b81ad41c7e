"""`longshore check`: lines of the operator's own, judged by the HAProxy of this machine."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from longshore.cli.rendered import rendered
from longshore.config import Loaded
from longshore.core.blame import blame
from longshore.core.model import Endpoint, Problem, Service
from longshore.core.raw import RawProcess
from longshore.core.render import Paths
from longshore.core.spec import service_parts
from longshore.haproxy.capabilities import find_binary, probe
from longshore.haproxy.faults import BinaryError
from longshore.haproxy.validate import check

ROUNDS = 10  # HAProxy does not say everything at once: what it refuses is taken out, and the rest asked about again
SAMPLE = Endpoint("127.0.0.1:9", "sample", "127.0.0.1", 9)  # so that the words of servers are judged as well


def judged(loaded: Loaded, services: Sequence[Service]) -> tuple[list[Problem], list[str]]:
    """What HAProxy has against the operator's own lines, and what else is to be said."""
    if not loaded.raw:
        return [], []
    try:
        return asyncio.run(_judged(loaded, services))
    except BinaryError as error:
        return [], [f"lines of your own (raw) were not checked: {error.what}"]
    except ValueError as error:
        return [Problem("haproxy.raw", f"cannot be rendered: {error}")], []


async def _judged(loaded: Loaded, services: Sequence[Service]) -> tuple[list[Problem], list[str]]:
    binary = find_binary(loaded.config.haproxy.binary)
    caps = await probe(binary)
    found = {**_unfound(loaded), **{each.name: each for each in services}}
    left = {name: each if each.endpoints else replace(each, endpoints=(SAMPLE,)) for name, each in found.items()}
    raw = loaded.raw.process
    problems: list[Problem] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="longshore-check-") as folder:
            paths = Paths(folder)
            made = rendered(loaded, paths, caps, left.values(), [], raw=raw, certificates=lambda _: None)
            made.write(paths)
            faults = [fault for fault in await check(binary, paths.config) if fault.fatal]
        if not faults:
            return problems, []
        blamed = blame(faults, made.wanted, left.values())
        if not (blamed.process or blamed.services):
            return problems, [f"haproxy -c says: {fault}" for fault in faults]
        problems += [*blamed.process, *blamed.services]
        for problem in blamed.services:
            left.pop(problem.service, None)
        raw = _without(raw, {problem.where for problem in blamed.process})
    return problems, []


def _unfound(loaded: Loaded) -> dict[str, Service]:
    """Services with lines of their own whose sources were not asked."""
    made = {}
    for name, raw in loaded.raw.services.items():
        mode, routes, policy = service_parts(loaded.specs[name])
        made[name] = Service(name, mode, routes, policy, raw=raw)
    return made


def _without(raw: RawProcess, places: set[str]) -> RawProcess:
    """The lines of the process but for those at some places, and for sections with such."""
    sections = [each for each in raw.sections if places.isdisjoint(line.place for line in (each.title, *each.lines))]
    left, defaults = (
        tuple(line for line in lines if line.place not in places) for lines in (raw.globals, raw.defaults)
    )
    return RawProcess(left, defaults, tuple(sections))
