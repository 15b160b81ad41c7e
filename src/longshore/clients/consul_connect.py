"""From settings to a client: which agent, which token, which certificates. For the source and the registrar alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from longshore.clients.consul import ConsulClient, Patience
from longshore.clients.consul_faults import ConsulError
from longshore.clients.tls import TlsSettings, files_of


class ConsulSettings(Protocol):
    """What is read of a source `consul` in the configuration."""

    @property
    def address(self) -> str: ...  # noqa: D102  the names say it
    @property
    def token_file(self) -> Path | None: ...  # noqa: D102
    @property
    def token_variable(self) -> str | None: ...  # noqa: D102
    @property
    def datacenter(self) -> str | None: ...  # noqa: D102
    @property
    def tls(self) -> TlsSettings | None: ...  # noqa: D102


def client_of(
    settings: ConsulSettings,
    patience: Patience = Patience(),  # noqa: B008  frozen
    *,
    here: bool = False,
) -> ConsulClient:
    """Make a client, to be used as `async with`. The token's file is read for each request: it may change.

    `here`: it asks for the agent's own datacenter, whatever is set.
    """
    return ConsulClient(
        settings.address,
        token=_tokens(settings),
        tls=files_of(settings.tls),
        datacenter="" if here else settings.datacenter or "",
        patience=patience,
    )


def _tokens(settings: ConsulSettings) -> Callable[[], str] | None:
    if settings.token_file:
        return partial(_token, settings.token_file)
    return partial(_said, settings.token_variable) if settings.token_variable else None


def _said(variable: str) -> str:
    if token := os.environ.get(variable, "").strip():
        return token
    raise ConsulError(f"the environment variable {variable} holds no token", "set it, or use token-file")


def _token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ConsulError(f"token-file {path}: {reason}", "check the path and who may read the file") from error
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ConsulError(f"token-file {path} holds no token", "write the token's SecretID into it, in one line")
    return token
