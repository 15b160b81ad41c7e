"""The files HAProxy starts from: maps, the Lua script, and our own record of what is in its configuration.

They always equal what runs: written before a reload, and after runtime changes as soon as things are quiet, so that a
crash of HAProxy or of the machine comes back right. The configuration itself is written by the `Process`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from longshore.agent.encoding import decode, encode
from longshore.core.hold import SCRIPT
from longshore.core.render import Layout, Paths, maps_of
from longshore.core.running import Running, from_layout
from longshore.haproxy.config_file import write

VERSION = 1
RECORD = "running.json"


class Files:
    """The folder `haproxy/` under the state directory."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._record = Path(paths.folder, RECORD)
        self._written: dict[Path, str] = {}
        self._shape: list[object] = []  # what the record says

    def prepare(self) -> None:
        """Make the folders and the files that never change."""
        Path(self._paths.maps).mkdir(mode=0o755, parents=True, exist_ok=True)
        write(Path(self._paths.lua), SCRIPT)

    def write(self, layout: Layout, maps: Mapping[str, Mapping[str, str]], placed: Mapping[str, str]) -> None:
        """Write the maps and the record of the layout; files that have this content already are left alone."""
        for path, entries in maps.items():
            self._put(Path(path), "".join(f"{key} {value}\n" for key, value in sorted(entries.items())))
        shape = [
            *(layout.process, layout.frontends, layout.profiles, dict(placed)),
            *((backend.name, backend.profile, backend.slots, backend.raw) for backend in layout.backends),
        ]
        if shape != self._shape or not self._record.exists():
            bare = replace(layout, backends=tuple(replace(b, servers=()) for b in layout.backends))
            self._put(self._record, json.dumps({"version": VERSION, "layout": encode(bare), "placed": dict(placed)}))
            self._shape = shape

    def adopted(self) -> Running | None:
        """The mirror of a HAProxy that was started from these files earlier; its servers and maps must be observed."""
        try:
            record = json.loads(self._record.read_text())
            if record["version"] != VERSION:
                return None
            layout = decode(Layout, record["layout"])
            placed = {str(backend): str(service) for backend, service in record["placed"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return from_layout(layout, {path: {} for path in maps_of(layout)}, placed)

    def _put(self, path: Path, text: str) -> None:
        if self._written.get(path) != text or not path.exists():
            write(path, text)
            self._written[path] = text
