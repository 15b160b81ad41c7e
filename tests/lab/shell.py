"""An image with the web service and a shell (Debian's static busybox), for what runs commands in containers."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from tests.lab import packages, web
from tests.lab.engine_client import EngineClient

SHELL = "lab/shell:1"
PROGRAMS = ("sh", "cat", "echo", "kill", "pgrep", "ps", "sleep", "test", "touch", "rm", "yes")


def busybox() -> Path:
    """Return the static busybox, fetched and unpacked on first use."""
    return packages.tree("busybox-1.35", "bookworm", ["busybox-static"]) / "bin" / "busybox"


def load(engine: EngineClient) -> str:
    """Have the image on this engine; return its name."""
    engine.api.import_image(SHELL, _rootfs(), ['ENTRYPOINT ["/bin/web"]', "EXPOSE 8000"])
    return SHELL


def _rootfs() -> Path:
    target = web.binary().parents[1] / "shell.tar"
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        with tarfile.open(partial, "w") as tar:
            tar.add(web.binary(), "bin/web")
            tar.add(busybox(), "bin/busybox")
            for program in PROGRAMS:
                link = tarfile.TarInfo(f"bin/{program}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            folder = tarfile.TarInfo("tmp")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
        partial.rename(target)
    return target
