"""The configuration that HAProxy would be started with, made of files alone: for `render` and `check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from longshore.agent.connect import always_of, frontends_of, here_of, process_of
from longshore.config import Loaded
from longshore.core.arrange import layout, map_files
from longshore.core.capabilities import Capabilities
from longshore.core.hold import SCRIPT
from longshore.core.model import Problem, Service
from longshore.core.overrides import Overrides
from longshore.core.prefer import Chooser
from longshore.core.raw import RawProcess
from longshore.core.render import Paths, first_files, maps_of, render
from longshore.core.wanted import Wanted, Wanter, own_frontends


@dataclass(frozen=True, slots=True)
class Rendered:
    """What HAProxy would be given: the text, and each map's content by its path."""

    wanted: Wanted
    text: str
    maps: dict[str, str]

    def write(self, paths: Paths) -> None:
        """Write every file that HAProxy needs."""
        files = {paths.config: self.text, paths.lua: SCRIPT, **first_files(paths), **self.maps}
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content, encoding="utf-8")


def rendered(
    loaded: Loaded,
    paths: Paths,
    caps: Capabilities,
    services: Iterable[Service],
    problems: list[Problem],
    *,
    raw: RawProcess | None = None,
    certificates: Callable[[Path], Path | None] = lambda path: path,
) -> Rendered:
    """Render what is wanted. Services that cannot be rendered become problems.

    `raw` are lines of the process in place of the configuration's; `certificates` as in `frontends_of`.
    """
    config, own = loaded.config, loaded.raw.process if raw is None else raw
    wanter = Wanter(caps, paths, own.defaults)
    good: list[Service] = []
    backends = {}
    chooser = Chooser(here_of(config))
    for found in services:
        service = chooser.choose(found, lambda _: "up")
        try:
            backends[service.name] = wanter.backend(service, Overrides(), lambda *_: True)
            good.append(service)
        except ValueError as error:
            problems.append(Problem(f"service {service.name}", str(error), service=service.name))
    frontends = (*frontends_of(config, paths, certificates), *own_frontends(good, paths, {}))
    wanted = Wanted(process_of(config, paths, own), frontends, backends)
    arranged, backend_of = layout(wanted, None, caps, always_of(caps, paths), config.haproxy.spare_slots)
    maps = map_files(wanted, backend_of, maps_of(arranged))
    texts = {p: "".join(f"{key} {value}\n" for key, value in sorted(maps[p].items())) for p in sorted(maps)}
    return Rendered(wanted, render(arranged, caps), texts)
