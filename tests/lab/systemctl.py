"""A stand-in for systemctl: starts, stops and reloads what units below $ROOT/etc/systemd/system say. No dependencies.

What counts for tests of pages is what systemd sends to whom: KillSignal to the main process, SIGKILL after
TimeoutStopSec, ExecReload with $MAINPID; and that a unit of Type=notify has started when it says READY=1.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(os.environ["ROOT"])
WAIT = 60.0


def settings(name: str) -> dict[str, str]:
    """The unit's section Service, with what its drop-ins say last."""
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
    """Where the main process of a unit is noted."""
    return ROOT / f"{name}.pid"


def start(name: str, unit: Mapping[str, str]) -> None:
    """Start the unit's program, away from whoever typed this."""
    with (ROOT / f"{name}.log").open("ab") as log, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = ROOT / f"{name}.notify"
        path.unlink(missing_ok=True)
        notify.bind(str(path))
        notify.settimeout(0.2)
        env = os.environ | ({"NOTIFY_SOCKET": str(path)} if unit.get("Type") == "notify" else {})
        command = ["sh", "-c", f"exec env {unit.get('Environment', '')} {unit['ExecStart']}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, process_group=0)
        place(name).write_text(str(process.pid))
        while unit.get("Type") == "notify" and not says_ready(notify):
            if process.poll() is not None:
                sys.exit(f"{name} has ended with {process.returncode}")


def says_ready(notify: socket.socket) -> bool:
    """Whether a unit says that it has started."""
    with suppress(TimeoutError):
        return b"READY=1" in notify.recv(4096)
    return False


def stop(name: str, unit: Mapping[str, str]) -> None:
    """Ask the main process to end, and wait until it has."""
    if not place(name).exists():
        return
    pid = int(place(name).read_text())
    number = signal.Signals[unit.get("KillSignal", "SIGTERM")]
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        end = time.monotonic() + WAIT
        while time.monotonic() < end and state(pid) not in ("Z", ""):
            time.sleep(0.02)
        if state(pid) not in ("Z", ""):
            sys.exit(f"{name} does not end")
    place(name).unlink()


def state(pid: int) -> str:
    """Its letter in /proc, "" if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def main(verb: str, *names: str) -> None:
    """Do what the words say."""
    for name in names:
        unit = settings(name)
        match verb:
            case "start":
                start(name, unit)
            case "stop":
                stop(name, unit)
            case "restart":
                stop(name, unit)
                start(name, unit)
            case "reload" if not place(name).exists():
                sys.exit(f"{name} does not run")
            case "reload":
                pid = place(name).read_text()
                subprocess.run(["sh", "-c", unit["ExecReload"]], env=os.environ | {"MAINPID": pid}, check=True)
            case _:
                sys.exit(f"what is {verb}?")


if __name__ == "__main__":
    main(*sys.argv[1:])
