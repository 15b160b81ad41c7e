"""What a run of the lab could leave behind, found by its folder's unique name: processes, mounts, bridges, files."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.lab.waiting import until

ENGINE = ("dockerd", "containerd", "runc")


def family(name: str, programs: tuple[str, ...] = ENGINE) -> set[int]:
    """Return the processes of these programs whose command line contains `name`, and all their descendants."""
    roots = list[int]()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
        if name.encode() in command and _program(command).startswith(programs):
            roots.append(int(entry.name))
    return descendants(roots)


def descendants(roots: Iterable[int]) -> set[int]:
    """Return these processes and all that come from them."""
    children = defaultdict[int, list[int]](list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):  # ended meanwhile
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children[parent].append(int(entry.name))
    found, everyone = list(roots), set[int]()
    while found:
        pid = found.pop()
        if pid not in everyone:
            everyone.add(pid)
            found += children[pid]
    return everyone


def _program(command: bytes) -> str:
    return Path(command.split(b"\0", 1)[0].decode(errors="replace")).name


def end_family(name: str, programs: tuple[str, ...] = ENGINE) -> None:
    """Kill the processes of `name` by their ids, and wait until they are gone."""

    def nobody_left() -> bool:
        left = family(name, programs)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not {pid for pid in left if not is_gone(pid)}

    until(nobody_left, what=f"the processes of {name} end")


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended (it may still wait to be reaped)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def remove_folder(folder: Path) -> None:
    """Unmount what lies below the folder, and remove it and its cgroups."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)
    for pattern in (folder.name, f"*/{folder.name}"):
        for group in Path("/sys/fs/cgroup").glob(pattern):
            for each in sorted(group.rglob("*/"), reverse=True):
                _remove_group(each)
            _remove_group(group)


def _remove_group(group: Path) -> None:
    with contextlib.suppress(OSError):  # still in use: it is empty and costs nothing
        group.rmdir()


def sweep(prefix: str) -> list[Path]:
    """Clean up after runs whose owner has ended; return their folders."""
    swept = []
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owner = folder / "owner"
        if not owner.exists() or Path(f"/proc/{owner.read_text()}").exists():
            continue  # just being made, or in use
        bridge = folder / "bridge"
        end_family(folder.name, (*ENGINE, "haproxy", "python"))
        if bridge.exists():
            subprocess.run(["ip", "link", "del", bridge.read_text()], capture_output=True, check=False)
        remove_folder(folder)
        swept.append(folder)
    return swept
