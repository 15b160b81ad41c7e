"""From settings to a client: which cluster, who logs in, which certificates. For the source and the registrar alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from longshore.clients.etcd import EtcdClient
from longshore.clients.etcd_faults import EtcdError
from longshore.clients.etcd_gateway import Login, Patience
from longshore.clients.tls import TlsSettings, files_of


class EtcdSettings(Protocol):
    """What is read of a source `etcd` in the configuration."""

    @property
    def endpoints(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def prefix(self) -> str: ...  # noqa: D102
    @property
    def username(self) -> str | None: ...  # noqa: D102
    @property
    def password_file(self) -> Path | None: ...  # noqa: D102
    @property
    def tls(self) -> TlsSettings | None: ...  # noqa: D102


def client_of(settings: EtcdSettings, patience: Patience = Patience()) -> EtcdClient:  # noqa: B008  frozen
    """Make a client, to be used as `async with`. Files are read when they are needed, and again when they changed."""
    login = None
    if settings.username:
        path = settings.password_file
        login = Login(settings.username, lambda: _password(path))
    return EtcdClient(settings.endpoints, login=login, tls=files_of(settings.tls), patience=patience)


def _password(path: Path | None) -> str:
    if path is None:
        raise EtcdError("etcd has a username but no password-file", "set password-file")
    try:
        password = path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise EtcdError(f"password-file {path}: {reason}", "check the path and who may read the file") from error
    if not password:
        raise EtcdError(f"password-file {path} is empty", "write the password into it")
    return password
