"""Who this registrar is: the owner of its entries, the same over restarts and renamings, and alone in its directory.

The owner is "<host name>.<8 hex>". The number comes of the engine's id, or of the machine's; it is made once and kept
in `<state-dir>/registrar.json`: who loses that file on a host of the same name gets the same owner again, and with it
the entries left in registries. Machines made of one image differ by their names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.tls import files_of
from longshore.core.grouping import tidy
from longshore.sources.docker import DockerSettings

FILE, LOCK = "registrar.json", "registrar.lock"
MACHINE = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
PATIENCE = 3.0  # seconds for the engine to tell its id

log = structlog.get_logger()


class TakenError(Exception):
    """Another registrar uses this state directory."""


class Lock:
    """Held for as long as this registrar lives. The kernel lets go of it when the process ends, however it does."""

    def __init__(self, state_dir: Path) -> None:
        """Raises TakenError, or OSError when the directory is of no use."""
        self._file = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 100, 0).decode(errors="replace").strip()
            os.close(self._file)
            who = f" ({holder})" if holder else ""
            raise TakenError(f"another registrar{who} runs with the state directory {state_dir}") from None
        with contextlib.suppress(OSError):  # a full disk: then it is not said who holds it
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"pid {os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


def host_name() -> str:
    """This host's name, as entries say it."""
    return tidy(socket.gethostname()) or "host"


async def owner_of(state_dir: Path, name: str, engine: DockerSettings | None) -> str:
    """Give the owner kept in the state directory; make it at first use. `engine` is asked for its id then."""
    path = state_dir / FILE
    if owner := _kept(path):
        return owner
    identity = (await _engine_id(engine) if engine else "") or _machine_id()
    owner = f"{name}.{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    _keep(path, {"version": 1, "owner": owner})
    return owner


def _kept(path: Path) -> str:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        log.warning("the registrar's own file is of no use, it is made anew", file=str(path), why=str(error))
        return ""
    owner = document.get("owner") if isinstance(document, Mapping) else None
    return owner if isinstance(owner, str) and owner.isprintable() and 0 < len(owner) <= 200 else ""


def _keep(path: Path, document: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


async def _engine_id(engine: DockerSettings) -> str:
    try:
        async with DockerClient(engine.host, tls=files_of(engine.tls), timeout=PATIENCE) as client:
            return str((await client.get("/info")).get("ID") or "")
    except (DockerError, AttributeError):
        return ""


def _machine_id() -> str:
    for path in MACHINE:
        try:
            if identity := path.read_text(encoding="ascii").strip():
                return identity
        except (OSError, ValueError):
            continue
    return str(uuid.uuid4())
