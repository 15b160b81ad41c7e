"""How the registrar checks an endpoint before and while it is registered: the value of key `register-check`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from longshore.core import places
from longshore.core.values import RefusedError, shown, text

Kind = Literal["http", "https", "tcp", "tls", "grpc", "redis", "rabbitmq", "exec", "docker", "none"]
KINDS = (
    '"tcp", "tls", "/path", "https:/path", "grpc", "grpc:NAME", "redis", "redis:KEY", "rabbitmq", "exec:COMMAND", '
    '"docker" or "none"'
)


@dataclass(frozen=True, slots=True)
class RegisterCheck:
    """One kind of check. `argument`: path of http and https, service of grpc ("" is the whole server), exec's command,
    the key that redis is asked for as well.

    `docker` is the container's HEALTHCHECK; `exec` runs in the container, by its shell.
    """

    kind: Kind
    argument: str = ""

    def __str__(self) -> str:
        """Give the words that `register_check` reads."""
        if self.kind == "http":
            return self.argument
        return f"{self.kind}:{self.argument}" if self.argument else self.kind


def register_check(raw: object) -> RegisterCheck:
    """Read a check. Raises RefusedError."""
    word = text(raw)
    if word.startswith("/"):
        return RegisterCheck("http", places.check(word))
    kind, colon, argument = word.partition(":")
    kind, argument = kind.strip().lower(), argument.strip()
    match kind:
        case "tcp" | "tls" | "redis" | "rabbitmq" | "docker" | "none" if not colon:
            return RegisterCheck(kind)
        case "redis" if re.fullmatch(r"[A-Za-z0-9_.:-]{1,200}", argument, re.ASCII):
            return RegisterCheck("redis", argument)
        case "https":
            return RegisterCheck("https", places.check(argument or "/"))
        case "grpc" if re.fullmatch(r"[A-Za-z0-9_./-]{0,200}", argument, re.ASCII):
            return RegisterCheck("grpc", argument)
        case "exec" if argument:
            return RegisterCheck("exec", argument)
    raise RefusedError(f"{shown(word)} is not a check of the registrar", f"write {KINDS}")
