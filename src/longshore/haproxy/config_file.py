"""The configuration file, so that it is always what runs: placed as a whole, and taken back when HAProxy refuses it.

While a reload is under way the former text is kept beside it (`….previous`). If we die just then, that file tells the
next start of longshore that nobody knows which of the two HAProxy runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from longshore.clients.haproxy_faults import HAProxyError

MARK = "# Written by longshore"


class ConfigFile:
    """haproxy.cfg at `path`. Raises `HAProxyError` if it cannot be written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._previous = Path(path + ".previous")
        self._offered = Path(path + ".new")

    @property
    def text(self) -> str:
        """What it says now; "" if there is none."""
        try:
            return Path(self.path).read_text(errors="replace")
        except OSError:
            return ""

    @property
    def ours(self) -> bool:
        """Whether longshore wrote it."""
        return self.text.startswith(MARK)

    @property
    def unsettled(self) -> bool:
        """Whether a reload was begun and never ended."""
        return self._previous.exists()

    def offer(self, text: str) -> str:
        """Write a text beside the file, for HAProxy to check; answers its path."""
        self._write(self._offered, text)
        return str(self._offered)

    def withdraw(self) -> None:
        """Forget what was offered."""
        self._offered.unlink(missing_ok=True)

    def place(self) -> None:
        """Put what was offered in place and keep the former text until `settle` or `restore`."""
        if not self._previous.exists() and Path(self.path).exists():
            self._write(self._previous, self.text)
        self._offered.replace(self.path)

    def settle(self) -> None:
        """HAProxy runs what was placed."""
        self._previous.unlink(missing_ok=True)

    def restore(self) -> None:
        """HAProxy goes on with the former text."""
        with contextlib.suppress(FileNotFoundError):
            self._previous.replace(self.path)

    def write(self, text: str) -> None:
        """Put a text in place at once."""
        write(Path(self.path), text)

    def _write(self, path: Path, text: str) -> None:
        write(path, text, like=Path(self.path))


def write(path: Path, text: str, like: Path | None = None) -> None:
    """Put a file in place as a whole or not at all, with the mode and owner of `like`: by default what it replaces."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", errors="surrogateescape") as file:
                file.write(text)
            with contextlib.suppress(OSError):  # a first file stays readable by its owner only
                model = like or path
                shutil.copymode(model, name)
                status = model.stat()
                os.chown(name, status.st_uid, status.st_gid)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HAProxyError(
            f"cannot write {path}: {error.strerror}", f"let this user write to {path.parent}, or choose another place"
        ) from error
