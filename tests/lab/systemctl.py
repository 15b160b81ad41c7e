"""A stand-in for systemctl: starts, stops and reloads what units below $ROOT/etc/systemd/system say. No dependencies.

What counts for tests of pages is what systemd sends to whom. Each unit has a watcher, the subreaper of all that the
unit starts, so it knows them as systemd knows a cgroup. KillSignal goes to all of them (KillMode=control-group, the
default), or to the main process and SIGKILL to the rest (mixed), or to the main process alone (process). When that ends
by itself, the rest ends in the same way, and Restart=always starts it again. ExecReload knows $MAINPID, a unit of
Type=notify has started when it says READY=1, and only one with WantedBy= can be enabled.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(os.environ["ROOT"])
WAIT = 60.0
RESTART = 0.1  # seconds: RestartSec of systemd, if a unit says nothing
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def settings(name: str) -> dict[str, str]:
    """The unit's settings, with what its drop-ins say last."""
    units = ROOT / "etc/systemd/system"
    found = dict[str, str]()
    for path in [units / f"{name}.service", *sorted((units / f"{name}.service.d").glob("*.conf"))]:
        for line in path.read_text().splitlines():
            key, equals, value = line.partition("=")
            if key == "Environment":
                found[key] = f"{found.get(key, '')} {value}"
            elif equals:
                found[key] = value
    return found


def place(name: str) -> Path:
    """Where the watcher of a unit is noted while it runs."""
    return ROOT / f"{name}.pid"


def main_process(name: str) -> int:
    """The main process of a unit."""
    if not place(name).exists():
        sys.exit(f"{name} does not run")
    return int((ROOT / f"{name}.main").read_text())


def start(name: str, unit: Mapping[str, str]) -> None:
    """Start the unit, away from whoever typed this."""
    if place(name).exists():
        return
    with (ROOT / f"{name}.log").open("ab") as log, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = ROOT / f"{name}.notify"
        path.unlink(missing_ok=True)
        notify.bind(str(path))
        notify.settimeout(0.2)
        watcher = [sys.executable, "-P", __file__, "watch", name]
        process = subprocess.Popen(watcher, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        wait(place(name).exists, f"{name} does not start")
        end = time.monotonic() + WAIT
        while unit.get("Type") == "notify" and not says_ready(notify):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{name} has not started: {process.returncode}")


def says_ready(notify: socket.socket) -> bool:
    """Whether a unit says that it has started."""
    with suppress(TimeoutError):
        return b"READY=1" in notify.recv(4096)
    return False


def stop(name: str) -> None:
    """Have the watcher end the unit, and wait until it has."""
    if place(name).exists():
        with suppress(ProcessLookupError):
            os.kill(int(place(name).read_text()), signal.SIGTERM)
        wait(lambda: not place(name).exists(), f"{name} does not end")


def wait(happened: Callable[[], bool], otherwise: str) -> None:
    """Until something is so."""
    end = time.monotonic() + WAIT
    while not happened():
        if time.monotonic() > end:
            sys.exit(otherwise)
        time.sleep(0.02)


class Watcher:
    """What systemd is to one unit that runs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._main = 0
        self._asked = False

    def run(self) -> None:
        """Until SIGTERM, or until the main process has ended by itself and is not started again."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_asked", True))
        again = True
        while again and not self._asked:
            self._begin()
            while not self._asked and self._main_lives():
                time.sleep(0.05)
            self._end()
            again = settings(self._name).get("Restart") == "always"
            time.sleep(0 if self._asked else RESTART)
        place(self._name).unlink()

    def _begin(self) -> None:
        unit = settings(self._name)
        notify = {"NOTIFY_SOCKET": str(ROOT / f"{self._name}.notify")} if unit.get("Type") == "notify" else {}
        command = ["sh", "-c", f"exec env {unit.get('Environment', '')} {unit['ExecStart']}"]
        self._main = subprocess.Popen(command, env=os.environ | notify, process_group=0).pid
        (ROOT / f"{self._name}.main").write_text(str(self._main))
        place(self._name).write_text(str(os.getpid()))

    def _end(self) -> None:
        unit = settings(self._name)  # as drop-ins say by now
        number, mode = signal.Signals[unit.get("KillSignal", "SIGTERM")], unit.get("KillMode", "control-group")
        self._send(number, self._all() if mode == "control-group" else self._all() & {self._main})
        while self._main_lives() or (mode == "control-group" and self._all()):
            time.sleep(0.05)
        while mode == "mixed" and (left := self._all()):
            self._send(signal.SIGKILL, left)
            time.sleep(0.05)

    def _main_lives(self) -> bool:
        """Reap who has ended, and tell whether the main process did."""
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._main = 0 if pid == self._main else self._main
        return self._main != 0

    @staticmethod
    def _send(number: int, to: set[int]) -> None:
        for pid in to:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @staticmethod
    def _all() -> set[int]:
        """The processes of the unit."""
        children = defaultdict[int, list[int]](list)
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, parent = entry.read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    children[int(parent)].append(int(entry.parent.name))
        found, new = set[int](), [os.getpid()]
        while new:
            new = [child for pid in new for child in children[pid]]
            found.update(new)
        return found


def main(verb: str, *words: str) -> None:
    """Do what the words say."""
    options = dict(word.lstrip("-").split("=") for word in words if word.startswith("-"))
    for name in words[len(options) :]:
        unit = settings(name)
        match verb:
            case "start":
                start(name, unit)
            case "stop":
                stop(name)
            case "restart":
                stop(name)
                start(name, unit)
            case "reload":
                env = os.environ | {"MAINPID": str(main_process(name))}
                subprocess.run(["sh", "-c", unit["ExecReload"]], env=env, check=True)
            case "kill" if options.get("kill-whom") == "main":
                os.kill(main_process(name), signal.Signals[f"SIG{options['signal']}"])
            case "enable" if "WantedBy" not in unit:
                sys.exit(f"{name} has no section Install")
            case "enable" | "disable":
                pass
            case "watch":
                Watcher(name).run()
            case _:
                sys.exit(f"what is {verb}?")


if __name__ == "__main__":
    main(*sys.argv[1:])
