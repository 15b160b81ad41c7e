"""From settings to a session: which ensemble, who logs in, which certificates. For source and registrar alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from longshore.clients.tls import TlsSettings, files_of
from longshore.clients.zookeeper import ZooKeeper
from longshore.clients.zookeeper_faults import ZooKeeperError


class ZooKeeperSettings(Protocol):
    """What is read of a source `zookeeper` in the configuration."""

    @property
    def hosts(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def prefix(self) -> str: ...  # noqa: D102
    @property
    def auth_file(self) -> Path | None: ...  # noqa: D102
    @property
    def tls(self) -> TlsSettings | None: ...  # noqa: D102


def session_of(settings: ZooKeeperSettings, session: float, news: asyncio.Event | None = None) -> ZooKeeper:
    """Prepare a session, to be used as `async with`. Raises RegistryError when a file cannot be used."""
    digest = _credentials(settings.auth_file) if settings.auth_file else ""
    return ZooKeeper(settings.hosts, session=session, digest=digest, tls=files_of(settings.tls), news=news)


def _credentials(path: Path) -> str:
    """Read "user:password", with or without ZooKeeper's own "digest:" in front."""
    try:
        text = path.read_text().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ZooKeeperError(f"auth-file {path}: {reason}", "check the path and who may read the file") from error
    text = text.removeprefix("digest:")
    user, colon, password = text.partition(":")
    if not (user and colon and password) or len(text.splitlines()) > 1:
        raise ZooKeeperError(f"auth-file {path} does not say user:password", "write one line like longshore:secret")
    return text
