"""The lab's web service (web.c says what it can do): compiled once, packed as an image, or run as a plain process."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from tests.lab import ports
from tests.lab.packages import CACHE
from tests.lab.waiting import until

SOURCES = [Path(__file__).with_name(name) for name in ("web.c", "websocket.c", "healthy.c")]


def binary() -> Path:
    """Return the static program, compiled when it or its sources are new."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()[:12]
    target = CACHE / f"web-{digest}" / "bin" / "web"
    if target.exists():
        return target
    if shutil.which("gcc") is None:
        raise FileNotFoundError("gcc is missing, which compiles the lab's web service: script/setup --lab")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / ".web.lock").open("w") as lock, tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Path(scratch) / "web"
        subprocess.run(["gcc", "-O2", "-static", "-s", "-pthread", "-o", made, *SOURCES], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)
    return target


def rootfs() -> Path:
    """Return the image's whole file system as a tar file, for `docker import`."""
    program = binary()
    target = program.parents[1] / "rootfs.tar"
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        with tarfile.open(partial, "w") as tar:
            tar.add(program, "bin/web")
        partial.rename(target)
    return target


class Web:
    """The web service as a process of this machine, on a free port, for as long as the `with` block lasts."""

    def __init__(self, name: str = "web", port: int = 0, **env: object) -> None:
        self.name = name
        self.port = port or ports.free()
        self._env = {key: str(value) for key, value in env.items()} | {"NAME": name, "PORT": str(self.port)}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Web:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen([binary()], env=self._env, stdout=subprocess.DEVNULL)
        until(lambda: self.get("/health"), what=f"web {self.name} answers on port {self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> str:
        """Return the body that it answers, asked directly."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()
