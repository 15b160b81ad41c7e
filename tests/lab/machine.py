"""Somebody at a shell of a machine with a /etc of its own, who types what a page says.

Programs that the page calls are those of the lab, systemd is a stand-in (`tests.lab.systemctl`). What the page says of
the machine (paths, addresses) is exchanged word by word for where it is here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.docs.pages import ROOT, Page
from tests.lab.engine import PREFIX
from tests.lab.remains import descendants, end_family

LAB = Path(__file__).parent
LONGSHORE = Path(sys.executable).with_name("longshore")


def section(page: str, heading: str) -> Page:
    """One section of a page, as a page."""
    path = ROOT / "docs" / page
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {heading}"
    return Page(path, found[1])


class Machine:
    """`swaps`: what the page says, and what it is here; `programs`: name -> path. Everything ends with the block."""

    def __init__(
        self,
        *,
        programs: Mapping[str, Path | str],
        swaps: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.root.chmod(0o755)
        (self.root / "owner").write_text(str(os.getpid()))
        self.state = self.root / "state"
        self._running: list[subprocess.Popen[bytes]] = []
        for folder in ("bin", "etc/systemd/system", "etc/haproxy", "run"):
            (self.root / folder).mkdir(parents=True)
        self.swaps = {"/opt/longshore/bin/": "", "/etc/": f"{self.root}/etc/", "/var/run/": f"{self.root}/run/"}
        self.swaps |= {"/tmp/": f"{self.root}/", **(swaps or {})}
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("LONGSHORE_")}
        self.env |= {"ROOT": str(self.root), "NO_COLOR": "1", "COLUMNS": "160", "PYTHONPATH": str(ROOT)}
        self.env |= {"LONGSHORE_STATE_DIR": str(self.state), "PATH": f"{self.root}/bin:{self.env['PATH']}"}
        self.env |= env or {}
        known: dict[str, Path | str] = {"longshore": LONGSHORE, "systemctl": LAB / "systemctl.py"}
        for name, path in (known | dict(programs)).items():
            self.put(f"bin/{name}", f'#!/bin/sh\nexec {_how(path)} "$@"\n').chmod(0o755)

    def __enter__(self) -> Self:
        """Be there."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started, by process id, show what it said, and remove the folder."""
        for path in self.root.glob("*.pid"):
            first = int(path.read_text())
            for pid in [first, *(descendants([first]) - {first})]:  # a unit's watcher would start others again
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self._running:
            process.wait(30)
        end_family(self.root.name, ("haproxy",))
        for path in sorted(self.root.glob("*.log")):
            print(f"--- {path.name}\n{path.read_text()}")  # noqa: T201 - pytest shows it when the test failed
        shutil.rmtree(self.root, ignore_errors=True)

    def put(self, name: str, text: str) -> Path:
        """Write a file of this machine, as a page says it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text) if not name.startswith("bin/") else text)
        return path

    def here(self, text: str) -> str:
        """A text of the page, with what it says of the machine as it is here."""
        words = "|".join(re.escape(word) for word in sorted(self.swaps, key=len, reverse=True))
        return re.sub(rf"(?<![\w.])(?:{words})", lambda found: self.swaps[found[0]], text)

    def runs(self, name: str, *command: str | Path) -> None:
        """Start a program that the machine had running before: somebody else's."""
        path = self.root / f"{name}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(command, env=self.env, cwd=self.root, stdout=log, stderr=log, process_group=0)
        (self.root / f"{name}.pid").write_text(str(process.pid))
        self._running.append(process)

    def types(self, *blocks: str) -> str:
        """Type blocks into one shell; each command must end well. Returns what they printed."""
        said = ""
        for block in blocks:
            command = ["bash", "-ec", self.here(block)]
            done = subprocess.run(command, env=self.env, cwd=self.root, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            said += done.stdout
        return said

    def unit(self, name: str, text: str) -> None:
        """Write a unit of systemd's."""
        self.put(f"etc/systemd/system/{name}.service", text)


def _how(path: Path | str) -> str:
    return f"{sys.executable} -P {path}" if str(path).endswith(".py") else str(path)
